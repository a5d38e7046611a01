//! What the outside world answers: upstreams and callouts.

mod callout;
mod cluster;
mod foreign;
mod grpc;
mod upstream;

pub use callout::{Answer, CalloutRequest, CalloutResponse};
pub use cluster::Cluster;
pub(crate) use cluster::Clusters;
pub use foreign::Foreign;
pub(crate) use grpc::GrpcEvent;
pub use grpc::{GrpcAnswer, GrpcRequest};
pub use upstream::Upstream;
