//! The secrets that backends themselves live on.

use super::BackendFault;
use crate::actor::Actor;
use async_trait::async_trait;
use lease::{Handle, Secret};

/// A client secret, a refresh token, an app's private key: in the sealed store, by handle. A backend
/// opens one for the moment in which it needs it.
#[async_trait]
pub trait LongLived: Send + Sync + 'static {
    /// # Errors
    /// [`BackendFault::Absent`] if there is none.
    async fn read(&self, actor: &Actor, handle: &Handle) -> Result<Secret, BackendFault>;

    /// Puts another secret in its place, with the type it had. Durable when it returns.
    ///
    /// # Errors
    /// It is not certain that the new one is there.
    async fn replace(
        &self,
        actor: &Actor,
        handle: &Handle,
        secret: &Secret,
    ) -> Result<(), BackendFault>;
}
