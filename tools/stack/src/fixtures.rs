//! Everything around the edge that is not ours: the origin, the DNS server, the issuer of sessions.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::authority::Authority;
use crate::background::Background;
use crate::dns::Dns;
use crate::folder::Folder;
use crate::issuer::{Issuer, Published};
use crate::origin::{Origin, OriginSettings};
use crate::policy::fetches_keys;
use crate::sessions::Sessions;

pub struct Fixtures {
    pub origin: Option<Origin>,
    pub dns: Option<Dns>,
    /// Where a policy has its keys fetched.
    pub issuer: Option<Issuer>,
    /// The roots that Envoy trusts.
    pub upstream_ca: PathBuf,
}

/// What the fixtures are to be.
pub struct FixtureSettings<'a> {
    /// The demo origin; without one, real destinations.
    pub origin: Option<&'a OriginSettings>,
    /// The names of the demo origin.
    pub names: &'a [String],
    pub policy: &'a Value,
    /// The roots that Envoy trusts, in place of the demo origin's.
    pub upstream_ca: Option<&'a Path>,
}

// === impl Fixtures ===

impl Fixtures {
    /// # Errors
    /// A server does not come up, or the world as it is has no roots.
    pub fn make(
        settings: &FixtureSettings<'_>,
        background: &Background,
        folder: &Folder,
        sessions: &Sessions,
    ) -> Result<Self> {
        let Some(origin) = settings.origin else {
            let upstream_ca = settings.upstream_ca.context("no roots for upstream certificates")?;
            return Ok(Self {
                origin: None,
                dns: None,
                issuer: None,
                upstream_ca: upstream_ca.into(),
            });
        };
        let authority = Authority::new("Leasehold demo origin CA")?;
        let local = Ipv4Addr::LOCALHOST;
        let runtime = background.handle();
        let origin = Origin::start(runtime, local.into(), origin, &authority)?;
        let dns = Dns::start(runtime, local.into(), settings.names.iter().cloned(), local)
            .context("a DNS server for the demo origin")?;
        let fetched = fetches_keys(settings.policy);
        let keys = || Published::keys(&sessions.jwks());
        let issuer = fetched.then(|| Issuer::start(runtime, local.into(), &authority, keys()));
        let issuer = issuer.transpose()?;
        let own_roots = folder.write("origin-ca.pem", &authority.pem())?;
        let upstream_ca = settings.upstream_ca.map_or(own_roots, Path::to_owned);
        Ok(Self { origin: Some(origin), dns: Some(dns), issuer, upstream_ca })
    }
}
