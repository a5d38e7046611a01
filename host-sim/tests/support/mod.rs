//! Where the Leasehold filter and its cases are.

use host_sim::Module;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The module as it is shipped, compiled once a process. Building it is not this test's business, and being
/// without it is no reason to pass.
pub fn filter() -> Module {
    static FILTER: LazyLock<Module> = LazyLock::new(|| {
        let path = root().join("target/wasm32-wasip1/wasm/leasehold_filter.wasm");
        Module::open(&path).unwrap_or_else(|error| {
            panic!("{error}\nbuild it: cargo build -p filter --target wasm32-wasip1 --profile wasm")
        })
    });
    FILTER.clone()
}
