//! What the filter takes of memory.

use anyhow::Result;

use super::group::hosts;
use super::testbed::Testbed;
use super::variant::Variant;

/// Few workers, and many.
const FEW: usize = 1;
const MANY: usize = 5;

/// Bytes of resident memory that a worker takes more with the filter than without.
///
/// # Errors
/// An Envoy does not come up.
pub fn of_a_worker(testbed: &Testbed) -> Result<f64> {
    let hosts = hosts(10);
    let grows = |variant| -> Result<f64> {
        let (few, many) =
            (testbed.edge(variant, &hosts, FEW)?, testbed.edge(variant, &hosts, MANY)?);
        Ok((many.memory()? - few.memory()?) / (MANY - FEW) as f64)
    };
    Ok(grows(Variant::Leasehold)? - grows(Variant::NoFilter)?)
}
