# Images of a release, built from source: `docker build --target custody .` (or leaf-ca, edge, guest, seed).
# What they hold is what `cargo xtask dist` makes; nothing of the builder is in them but that.

FROM rust:1.95.0-slim-bookworm AS release
RUN apt-get update \
 && apt-get install --yes --no-install-recommends musl-tools \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /leasehold
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/leasehold/target \
    cargo xtask dist --out /release && mv /release/*-unknown-linux-musl /release/bin

FROM scratch AS custody
COPY --from=release /release/bin/custody /usr/local/bin/custody
USER 65532:65532
ENV PATH=/usr/local/bin
ENTRYPOINT ["custody"]

FROM scratch AS leaf-ca
COPY --from=release /release/bin/leaf-ca /usr/local/bin/leaf-ca
USER 65532:65532
ENV PATH=/usr/local/bin
ENTRYPOINT ["leaf-ca"]

FROM envoyproxy/envoy:distroless-v1.40.0 AS edge
COPY --from=release /release/leasehold_filter.wasm /etc/leasehold/leasehold_filter.wasm
USER 65532:65532
ENTRYPOINT ["envoy"]
