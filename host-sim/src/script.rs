//! What the outside world answers: upstreams and callouts.

mod callout;
mod cluster;
mod grpc;
mod upstream;

pub use callout::{Answer, CalloutRequest, CalloutResponse};
pub use cluster::Cluster;
pub(crate) use cluster::Clusters;
pub use grpc::{GrpcAnswer, GrpcRequest};
pub use upstream::Upstream;
