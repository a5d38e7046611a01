//! A configuration, made into a policy. The one module that imports both.

mod destination;
mod sessions;

use crate::config::Config;
use crate::config::custody::CustodyConfig;
use crate::config::errors::ConfigErrors;
use crate::config::explicit::ExplicitConfig;
use crate::config::gateway::{GatewayConfig, LinkSchemeConfig};
use crate::config::inject::InjectConfig;
use crate::config::posture::PostureConfig;
use crate::config::read::{Sections, read_json, read_or_default, read_section, required};
use crate::config::session::SessionConfig;
use crate::config::version::PolicyVersionConfig;
use crate::policy::custody::{Custody, SyncSettings};
use crate::policy::links::LinkScheme;
use crate::policy::posture::{HTTP_PORT, Ingress, Posture};
use crate::policy::{Inject, Policy, PolicyVersion};
use destination::compile_allow_list;
use lease::Authority;
use sessions::{compile_binding, compile_carriers, compile_issuers};

// === impl Config ===

impl Config {
    /// Reads and compiles a configuration.
    ///
    /// # Errors
    /// Every fault of it, with the path of the field.
    pub fn read(text: &[u8]) -> Result<Policy, ConfigErrors> {
        let mut errors = ConfigErrors::default();
        let policy = compile(text, &mut errors);
        match policy {
            Some(policy) if errors.is_empty() => Ok(policy),
            _ => Err(errors),
        }
    }
}

fn compile(text: &[u8], errors: &mut ConfigErrors) -> Option<Policy> {
    let sections: Sections<'_> = read_json(text, "", errors)?;
    let version =
        sections.policy.and_then(|raw| read_section::<PolicyVersionConfig>(raw, "policy", errors));
    if let Some(version) = &version {
        version.check(errors);
    }
    let posture = read_or_default::<PostureConfig>(sections.posture, "posture", errors);
    let gateway: GatewayConfig =
        read_or_default(sections.gateway, "gateway", errors).unwrap_or_default();
    if posture == Some(PostureConfig::Explicit) && sections.gateway.is_some() {
        errors.push("gateway", "belongs to \"posture\": \"gateway\"");
    }
    let explicit: ExplicitConfig =
        read_or_default(sections.explicit, "explicit", errors).unwrap_or_default();
    if posture == Some(PostureConfig::Gateway) && sections.explicit.is_some() {
        errors.push("explicit", "belongs to \"posture\": \"explicit\"");
    }
    let inject = read_or_default::<InjectConfig>(sections.inject, "inject", errors);
    let has_several_issuers = sections.session.is_some_and(SessionConfig::has_several_issuers);
    let mut session = required(sections.session, "session", errors)
        .and_then(|raw| read_section::<SessionConfig>(raw, "session", errors));
    let leeway = session.as_ref().map(|session| session.checked_leeway(errors));
    let issuers =
        session.as_mut().and_then(|session| compile_issuers(session, leeway.unwrap_or(0), errors));
    let custody =
        sections.custody.and_then(|raw| read_section::<CustodyConfig>(raw, "custody", errors));
    if let Some(custody) = &custody {
        custody.check(errors);
    }
    let destinations = required(sections.destinations.as_ref(), "destinations", errors);
    let allow_list = compile_allow_list(destinations?, has_several_issuers, errors);
    if sections.custody.is_none() && allow_list.needs_custody() {
        errors.push("custody", "is missing, and a destination has a credential");
    }
    let posture = posture?;
    let session = session?;
    Some(Policy {
        version: version.map(compile_version),
        inject: compile_inject(inject?),
        ingress: compile_ingress(posture, &gateway, errors),
        refuses_in_tunnel: explicit.refuse_in_tunnel,
        carriers: compile_carriers(&session, posture, errors),
        issuers: issuers?,
        leeway: leeway?,
        binding: session.bind.as_ref().and_then(|bind| compile_binding(bind, errors)),
        custody: custody.map(compile_custody),
        allow_list,
    })
}

fn compile_version(config: PolicyVersionConfig) -> PolicyVersion {
    let PolicyVersionConfig { name, generation } = config;
    PolicyVersion { name, generation }
}

fn compile_inject(config: InjectConfig) -> Inject {
    match config {
        InjectConfig::Downstream => Inject::Downstream,
        InjectConfig::Upstream => Inject::Upstream,
    }
}

fn compile_ingress(
    posture: PostureConfig,
    gateway: &GatewayConfig,
    errors: &mut ConfigErrors,
) -> Ingress {
    let parsed = gateway.authorities.iter().enumerate().filter_map(|(n, text)| {
        let path = format!("gateway.authorities[{n}]");
        errors.keep(path, Authority::parse(text.as_bytes(), HTTP_PORT))
    });
    let own_authorities = parsed.collect();
    let posture = match posture {
        PostureConfig::Explicit => Posture::Explicit,
        PostureConfig::Gateway => Posture::Gateway,
    };
    if gateway.rewrite_links.is_some() && gateway.authorities.is_empty() {
        errors.push("gateway.rewrite_links", "needs gateway.authorities, the names that links get");
    }
    let rewrite_links = gateway.rewrite_links.map(|scheme| match scheme {
        LinkSchemeConfig::Http => LinkScheme::Http,
        LinkSchemeConfig::Https => LinkScheme::Https,
    });
    Ingress { posture, own_authorities, rewrite_links }
}

fn compile_custody(config: CustodyConfig) -> Custody {
    let sync = config.sync.config().map(|sync| SyncSettings {
        wait: sync.wait.get(),
        max_staleness: sync.max_staleness.get(),
    });
    let CustodyConfig { cluster, authority, timeout, .. } = config;
    Custody { cluster, authority, timeout: timeout.get(), sync }
}

#[cfg(test)]
mod destination_tests;
#[cfg(test)]
mod tests;
