//! `type: github_app`: an app, and its installations.

use super::oauth2::read_reach;
use super::own_secret::{self, RawOwnSecret};
use crate::config::fault::Faults;
use custody_backends::github_app::{Installation, TokenForm};
use custody_backends::settings::AppOnGitHub;
use custody_base::outbound::{Endpoint, Reach};
use serde::Deserialize;
use serde_yaml_ng::Value;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    api: Option<String>,
    ca: Option<PathBuf>,
    timeout: Option<String>,
    app_id: RawAppId,
    private_key: RawOwnSecret,
}

/// Digits are a number in YAML.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawAppId {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSource {
    installation: u64,
    #[serde(rename = "as", default)]
    form: TokenForm,
}

/// GitHub's own.
const API: &str = "https://api.github.com";
/// Bytes. A token for five hundred repositories lists them all, some five thousand bytes each.
const BODY_LIMIT: usize = 4 << 20;

pub(super) fn read(
    path: &str,
    value: Value,
    folder: &Path,
    faults: &mut Faults,
) -> Option<AppOnGitHub> {
    let raw: RawApp = faults.section(path, Some(value))?;
    let api = Endpoint::parse(raw.api.as_deref().unwrap_or(API));
    let api = api.map_err(|fault| faults.add(format!("{path}.api"), fault)).ok();
    let reach = read_reach(path, raw.ca, raw.timeout, folder, faults);
    let app_id = match raw.app_id {
        RawAppId::Number(number) => number.to_string(),
        RawAppId::Text(text) => text,
    };
    let private_key = own_secret::read(&format!("{path}.private_key"), &raw.private_key, faults);
    let reach = Reach { body_limit: BODY_LIMIT, ..reach? };
    Some(AppOnGitHub { api: api?, reach, app_id, private_key: private_key? })
}

pub(super) fn read_source(path: &str, value: Value, faults: &mut Faults) -> Option<Installation> {
    let RawSource { installation: id, form } = faults.section(path, Some(value))?;
    Some(Installation { id, form })
}
