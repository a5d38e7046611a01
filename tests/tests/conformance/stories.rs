//! What the prober does: the edges of the ABI, a file a family.

mod buffers;
mod foreign;
mod headers;
mod keeping;
mod properties;
mod streams;
mod wasi;

use crate::prober::Prober;

/// Every story.
pub fn all() -> Prober {
    let mut prober = Prober::default();
    for tell in [
        headers::header_maps,
        headers::header_edits,
        headers::absent_maps,
        headers::host,
        headers::all_headers,
        buffers::buffers,
        keeping::metrics,
        keeping::shared_data,
        keeping::queues,
        properties::properties,
        properties::own_properties,
        streams::streams,
        streams::memory,
        streams::callouts,
        foreign::foreign_functions,
        foreign::signatures,
        foreign::keys,
        foreign::vectors,
        wasi::descriptors,
        wasi::surroundings,
        // At last: Envoy closes a connection whose request is answered out of its body.
        buffers::bodies,
    ] {
        tell(&mut prober);
    }
    prober
}
