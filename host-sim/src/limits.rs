//! Bounds of what a guest may use.

use wasmtime::ResourceLimiter;

/// How much memory a VM may have.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    pub bytes: usize,
    /// What it asked for in vain.
    pub refused: Option<usize>,
}

// === impl MemoryLimit ===

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let fits = desired <= self.bytes;
        self.refused = (!fits).then_some(desired).or(self.refused);
        Ok(fits)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
