//! The resolver, made of what a configuration names.

use crate::exec::{CommandBackend, CommandSource, ProgramFault};
use crate::github_app::{App, GitHubApp, InstallationSource};
use crate::oauth::{AuthorizationServer, Endpoints, OAuthSource};
use crate::openbao::{self, ClientFault};
use crate::resolver::{Resolver, Sources};
use crate::settings::{
    AppOnGitHub, Backend, Backends, Credentials, OAuth2, OAuth2Place, SourceAt, SourceOf,
};
use crate::{CredentialBackend, MintingStores};
use custody_base::outbound::{EndpointFault, ReachFault};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A backend cannot be made. The text begins with its field.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyFault {
    #[error("backends.{name}.{fault}")]
    OpenBao { name: String, fault: ClientFault },
    #[error("backends.{name}.{fault}")]
    Reach { name: String, fault: ReachFault },
    #[error("backends.{name}.issuer: {fault}")]
    Issuer { name: String, fault: EndpointFault },
    #[error("backends.{name}.{fault}")]
    Program { name: String, fault: ProgramFault },
    /// The configuration was checked, so nobody sees this.
    #[error("credentials: {0} is not a backend of this type")]
    Mismatch(String),
}

/// The parts of custody itself that backends need.
pub struct Own {
    /// Answers for the handles that are not listed.
    pub sealed: Arc<dyn CredentialBackend>,
    /// For the backends that mint tokens.
    pub minting: MintingStores,
}

/// One client a backend, which all its sources share.
struct Clients {
    own: Own,
    openbao: BTreeMap<String, Arc<openbao::Client>>,
    oauth2: BTreeMap<String, Arc<AuthorizationServer>>,
    github: BTreeMap<String, Arc<GitHubApp>>,
    exec: BTreeMap<String, Arc<CommandBackend>>,
}

/// Connects nothing yet.
///
/// # Errors
/// A file that a backend names does not serve.
pub fn assemble(
    backends: &Backends,
    credentials: &Credentials,
    own: Own,
) -> Result<Resolver, AssemblyFault> {
    let registered = vec![Arc::clone(&own.sealed)];
    let (openbao, oauth2, github, exec) = Default::default();
    let mut clients = Clients { own, openbao, oauth2, github, exec };
    for (name, backend) in &backends.0 {
        clients.add(name, backend)?;
    }
    let mut sources = BTreeMap::new();
    for (handle, pair) in &credentials.0 {
        let primary = clients.source(&pair.primary)?;
        let backup = pair.backup.as_ref().map(|at| clients.source(at)).transpose()?;
        sources.insert(handle.clone(), Sources { primary, backup });
    }
    Ok(Resolver::new(registered, sources))
}

// === impl Clients ===

impl Clients {
    fn add(&mut self, name: &str, backend: &Backend) -> Result<(), AssemblyFault> {
        let owned = || name.to_owned();
        match backend {
            Backend::OpenBao(settings) => {
                let client = openbao::Client::new(name, settings)
                    .map_err(|fault| AssemblyFault::OpenBao { name: owned(), fault })?;
                self.openbao.insert(owned(), Arc::new(client));
            }
            Backend::OAuth2(settings) => {
                let OAuth2 { place, reach, client, lifetime } = settings;
                let endpoints = match place {
                    OAuth2Place::TokenEndpoint { token, revocation } => {
                        Endpoints::configured(token.clone(), revocation.clone())
                    }
                    OAuth2Place::Issuer(issuer) => Endpoints::discovered(issuer)
                        .map_err(|fault| AssemblyFault::Issuer { name: owned(), fault })?,
                };
                let outbound = reach
                    .client()
                    .map_err(|fault| AssemblyFault::Reach { name: owned(), fault })?;
                let (client, stores) = (client.clone(), self.own.minting.clone());
                let server = AuthorizationServer::new(
                    owned(),
                    outbound,
                    endpoints,
                    client,
                    *lifetime,
                    stores,
                );
                self.oauth2.insert(owned(), server);
            }
            Backend::GitHubApp(settings) => {
                let AppOnGitHub { api, reach, app_id, private_key } = settings;
                let outbound = reach
                    .client()
                    .map_err(|fault| AssemblyFault::Reach { name: owned(), fault })?;
                let app = App { id: app_id.clone(), private_key: private_key.clone() };
                let (api, stores) = (api.clone(), self.own.minting.clone());
                let app = GitHubApp::new(owned(), outbound, api, app, stores);
                self.github.insert(owned(), app);
            }
            Backend::Exec(program) => {
                let stores = self.own.minting.clone();
                let backend = CommandBackend::new(owned(), program.clone(), stores)
                    .map_err(|fault| AssemblyFault::Program { name: owned(), fault })?;
                self.exec.insert(owned(), backend);
            }
        }
        Ok(())
    }

    fn source(&self, at: &SourceAt) -> Result<Arc<dyn CredentialBackend>, AssemblyFault> {
        let mismatch = || AssemblyFault::Mismatch(at.backend.clone());
        Ok(match &at.of {
            SourceOf::Sealed => Arc::clone(&self.own.sealed),
            SourceOf::OpenBao(settings) => {
                let client = self.openbao.get(&at.backend).ok_or_else(mismatch)?;
                Arc::new(openbao::Source::new(Arc::clone(client), settings))
            }
            SourceOf::OAuth2(request) => {
                let server = self.oauth2.get(&at.backend).ok_or_else(mismatch)?;
                Arc::new(OAuthSource::new(Arc::clone(server), request.clone()))
            }
            SourceOf::GitHubApp(installation) => {
                let app = self.github.get(&at.backend).ok_or_else(mismatch)?;
                Arc::new(InstallationSource::new(Arc::clone(app), *installation))
            }
            SourceOf::Exec(request) => {
                let backend = self.exec.get(&at.backend).ok_or_else(mismatch)?;
                Arc::new(CommandSource::new(Arc::clone(backend), request.clone()))
            }
        })
    }
}
