//! A proxy-wasm host to test filters on.
//!
//! It does what Envoy does, status by status (proxy-wasm ABI 0.2.1, 0.2.0 and 0.1.0), with everything around
//! the module scripted: the clock, the upstream, the answers to callouts, the faults.
//!
//! ```
//! use host_sim::{Host, Module, Plugin, Request};
//!
//! let module = Module::new(br#"(module
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "malloc") (param i32) (result i32) (i32.const 4096))
//!     (memory (export "memory") 1))"#)?;
//! let mut host = Host::builder().plugin(Plugin::new(&module)).start()?;
//! let stream = host.send(Request::get("api.example.com", "/v1/models"));
//! host.settle();
//! host.outcome(stream).assert_forwarded().assert_upstream_header(":path", "/v1/models");
//! # Ok::<(), host_sim::Error>(())
//! ```

mod abi;
mod attributes;
mod builder;
pub mod cases;
mod chain;
mod clock;
mod connections;
mod error;
mod events;
mod exchange;
mod faults;
mod headers;
mod host;
mod limits;
mod message;
mod module;
mod outcome;
mod pairs;
mod properties;
mod protobuf;
mod reload;
mod request;
mod script;
mod shared;
mod simulation;
mod stats;
mod status;
mod stream;
mod strict;
mod trace;
mod transcript;
mod vm;

pub use attributes::MetadataOf;
pub use builder::Builder;
pub use clock::Instant;
pub use connections::ConnectionId;
pub use error::{Cause, Error, Failure};
pub use faults::FaultPlan;
pub use headers::HeaderMap;
pub use host::Host;
pub use message::{Direction, Message};
pub use module::{AbiVersion, Module, Symbol};
pub use outcome::{Outcome, Verdict};
pub use properties::Properties;
pub use request::Request;
pub use script::{
    Answer, CalloutRequest, CalloutResponse, Cluster, Foreign, GrpcAnswer, GrpcRequest, Upstream,
};
pub use stats::MetricKind;
pub use status::{Status, UnknownStatus};
pub use stream::{ConnectionView, LocalReply, Peer, StreamId};
pub use strict::Violation;
pub use transcript::{
    Arg, ArgValue, Entry, Level, Recording, Returned, Transcript, TranscriptEvent,
};
pub use vm::{FailPolicy, Plugin};
