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
    cargo xtask dist --out /release && mv /release/*-unknown-linux-musl /release/bin \
 && install -d -m 0700 /release/empty

# What health checks ask with: the images have no shell and no curl.
FROM busybox:1.37.0-musl AS probe

FROM scratch AS custody
COPY --from=release /release/bin/custody /usr/local/bin/custody
COPY --from=probe /bin/busybox /usr/local/bin/busybox
# A volume that is mounted here belongs to custody then.
COPY --from=release --chown=65532:65532 /release/empty /var/lib/custody
USER 65532:65532
ENV PATH=/usr/local/bin
ENTRYPOINT ["custody"]

FROM scratch AS leaf-ca
COPY --from=release /release/bin/leaf-ca /usr/local/bin/leaf-ca
COPY --from=probe /bin/busybox /usr/local/bin/busybox
USER 65532:65532
ENV PATH=/usr/local/bin
ENTRYPOINT ["leaf-ca"]

FROM envoyproxy/envoy:distroless-v1.40.0 AS edge
COPY --from=release /release/leasehold_filter.wasm /etc/leasehold/leasehold_filter.wasm
COPY --from=probe /bin/busybox /usr/local/bin/busybox
USER 65532:65532
ENTRYPOINT ["envoy"]

# For docker-compose.yml: what a guest is, and what makes the keys of it all.
FROM curlimages/curl:8.15.0 AS guest
USER 65532:65532
ENV CURL_HOME=/guest CURL_CA_BUNDLE=/guest/ca.pem
ENTRYPOINT ["sleep", "infinity"]

FROM busybox:1.37.0-musl AS seed
COPY --from=release /release/bin/custody /release/bin/leaf-ca /release/bin/session-jwt /usr/local/bin/
# New volumes take their owner from these.
RUN cd / && install -d -o 65532 -g 65532 -m 0700 seed/operator seed/custody seed/edge seed/leaf-ca \
    seed/postgres seed/openbao seed/guest
USER 65532:65532
ENV PATH=/usr/local/bin:/bin
