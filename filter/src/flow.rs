//! What a callback tells Envoy to do with a request.

/// The answers of the request callbacks, by the numbers that Envoy has for them (`FilterHeadersStatus`,
/// `FilterDataStatus` and `FilterTrailersStatus` of proxy-wasm-cpp-host).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Flow {
    Continue = 0,
    /// Nothing goes on, and what follows is shown still; a body is kept by Envoy, up to its limit. Of
    /// headers only where `allow_on_headers_stop_iteration` is true; else it is `Stop`.
    StopIteration = 1,
    /// Nothing goes on, and nothing more is shown until the request is resumed; a body pushes back.
    /// Headers alone can be stopped so.
    Stop = 4,
}
