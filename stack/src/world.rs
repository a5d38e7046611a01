//! Everything around the edge that is not ours: the origin, the DNS server, the issuer of sessions.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::authority::Authority;
use crate::background::Background;
use crate::builder::StackBuilder;
use crate::dns::Dns;
use crate::folder::Folder;
use crate::issuer::{Issuer, Published};
use crate::origin::Origin;
use crate::sessions::Sessions;

pub struct World {
    pub origin: Option<Origin>,
    pub dns: Option<Dns>,
    /// Where a policy has its keys fetched.
    pub issuer: Option<Issuer>,
    /// The roots that Envoy trusts.
    pub upstream_ca: PathBuf,
}

// === impl World ===

impl World {
    /// As the builder has chosen.
    ///
    /// # Errors
    /// A server does not come up, or the world as it is has no roots.
    pub fn make(
        choices: &StackBuilder,
        background: &Background,
        folder: &Folder,
        sessions: &Sessions,
    ) -> Result<Self> {
        let Some(settings) = &choices.origin else {
            let upstream_ca = choices.upstream_ca.clone();
            let upstream_ca = upstream_ca.context("no roots for upstream certificates")?;
            return Ok(Self { origin: None, dns: None, issuer: None, upstream_ca });
        };
        let authority = Authority::new("Leasehold demo origin CA")?;
        let local = Ipv4Addr::LOCALHOST;
        let runtime = background.handle();
        let origin = Origin::start(runtime, local.into(), settings, &authority)?;
        let dns = Dns::start(runtime, local.into(), choices.names.iter().cloned(), local)
            .context("a DNS server for the demo origin")?;
        let fetched = choices.policy.pointer("/session/keys/cluster").is_some();
        let keys = || Published::keys(&sessions.jwks());
        let issuer = fetched.then(|| Issuer::start(runtime, local.into(), &authority, keys()));
        let issuer = issuer.transpose()?;
        let own_roots = folder.write("origin-ca.pem", &authority.pem())?;
        let upstream_ca = choices.upstream_ca.clone().unwrap_or(own_roots);
        Ok(Self { origin: Some(origin), dns: Some(dns), issuer, upstream_ca })
    }
}
