//! The resolver, made of what a configuration names.

use crate::backend::CredentialBackend;
use crate::backend::openbao::{self, ClientFault};
use crate::backend::resolver::{Resolver, Sources};
use crate::config::{Backend, Backends, Credentials, SourceAt, SourceOf};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A backend cannot be made. The text begins with its field.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyFault {
    #[error("backends.{name}.{fault}")]
    OpenBao { name: String, fault: ClientFault },
    /// The configuration was checked, so nobody sees this.
    #[error("credentials: {0} is not a backend of this type")]
    Mismatch(String),
}

/// One client a backend, which all its sources share.
struct Clients {
    sealed: Arc<dyn CredentialBackend>,
    openbao: BTreeMap<String, Arc<openbao::Client>>,
}

/// Connects nothing yet. `sealed` answers for the handles that are not listed.
///
/// # Errors
/// A file that a backend names does not serve.
pub fn assemble(
    backends: &Backends,
    credentials: &Credentials,
    sealed: Arc<dyn CredentialBackend>,
) -> Result<Resolver, AssemblyFault> {
    let mut clients = Clients { sealed: Arc::clone(&sealed), openbao: BTreeMap::new() };
    for (name, backend) in &backends.0 {
        match backend {
            Backend::OpenBao(settings) => {
                let client = openbao::Client::new(name, settings)
                    .map_err(|fault| AssemblyFault::OpenBao { name: name.clone(), fault })?;
                clients.openbao.insert(name.clone(), Arc::new(client));
            }
        }
    }
    let mut sources = BTreeMap::new();
    for (handle, pair) in &credentials.0 {
        let primary = clients.source(&pair.primary)?;
        let backup = pair.backup.as_ref().map(|at| clients.source(at)).transpose()?;
        sources.insert(handle.clone(), Sources { primary, backup });
    }
    Ok(Resolver::new(vec![sealed], sources))
}

// === impl Clients ===

impl Clients {
    fn source(&self, at: &SourceAt) -> Result<Arc<dyn CredentialBackend>, AssemblyFault> {
        let mismatch = || AssemblyFault::Mismatch(at.backend.clone());
        Ok(match &at.of {
            SourceOf::Sealed => Arc::clone(&self.sealed),
            SourceOf::OpenBao(settings) => {
                let client = self.openbao.get(&at.backend).ok_or_else(mismatch)?;
                Arc::new(openbao::Source::new(Arc::clone(client), settings))
            }
        })
    }
}
