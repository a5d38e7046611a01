# The everyday commands. Each is one `cargo` command, so nobody needs `just`; see `cargo xtask --help` for all.

# Shows this list.
default:
    @just --list

# The everyday loop: format, spelling, clippy, unit tests; under a minute once built.
fast *name:
    cargo xtask test --fast {{name}}

# Everything that is checked before a change is merged.
test *name:
    cargo xtask test {{name}}

# Clippy, as the tests run it.
lint:
    cargo clippy --all-targets -- -D warnings
    cargo clippy -p filter -p sdk-guests --target wasm32-wasip1 -- -D warnings

# Formats the code.
fmt:
    cargo fmt --all

# A guest's requests and what becomes of them.
demo:
    cargo xtask demo

# Keeps everything running until Ctrl-C.
up *options:
    cargo xtask up {{options}}

# Every case of tests/cases and policies/cases on host-sim and on Envoy, as a table.
cases *file:
    cargo xtask conformance {{file}}

# Measures the speed and writes BENCHMARKS.md.
bench *options:
    cargo xtask bench {{options}}

# Writes the JSON Schema of the plugin configuration.
schema:
    cargo xtask schema

# Counts the filter's instructions anew and writes tests/cost/table.json.
cost:
    cargo build -p filter -p sdk-guests --profile wasm --target wasm32-wasip1
    cargo run --bin host-sim -- cost target/wasm32-wasip1/wasm/leasehold_filter.wasm tests/cost/*.yaml --json > target/cost.json
    mv target/cost.json tests/cost/table.json

# Fuzzes one parser, or each in turn.
fuzz *options:
    cargo xtask fuzz {{options}}

# The documentation of the crates.
doc:
    cargo doc --no-deps --open
