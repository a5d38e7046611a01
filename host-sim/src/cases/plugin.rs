//! How Envoy runs the module: what stands around the plugin's configuration, and the clusters it may call.

use super::custody::duration;
use crate::builder::Builder;
use crate::module::Module;
use crate::script::{Answer, CalloutResponse, Cluster};
use crate::vm::{FailPolicy, Plugin};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The plugin in Envoy's own words.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginSpec {
    pub root_id: String,
    pub vm_id: String,
    pub vm_configuration: String,
    /// The environment variables of the VM.
    pub environment: BTreeMap<String, String>,
    pub fail_policy: FailPolicyName,
    /// Envoy's default is false. Leasehold's files set it.
    pub allow_on_headers_stop_iteration: Option<bool>,
    /// The plugin configuration as bytes, in place of `config`.
    #[serde(skip)]
    pub configuration: Option<Vec<u8>>,
    /// Instructions that a callback may take.
    pub fuel: Option<u64>,
    /// Bytes of memory that a VM may have.
    pub memory: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailPolicyName {
    #[default]
    FailClosed,
    FailOpen,
}

/// The clusters that the filter may call, by name, with their answers in turn. The last answer is given again
/// and again.
pub type ClusterScripts = BTreeMap<String, Vec<ClusterAnswer>>;

/// One answer of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterAnswer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// How long it takes, such as `20ms`.
    pub after: Option<String>,
    /// In place of a response.
    pub fault: Option<ClusterFault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterFault {
    /// Nothing comes; the callout times out.
    Silence,
    /// The stream is reset in the middle of an answer.
    Reset,
    /// The connection breaks before an answer.
    ConnectFailure,
    /// No endpoint is healthy.
    NoHealthyUpstream,
}

// === impl PluginSpec ===

impl PluginSpec {
    /// The plugin with its configuration, which Leasehold's filter takes otherwise than others by default.
    pub(super) fn plugin(&self, module: &Module, config: Option<String>, is_edge: bool) -> Plugin {
        let mut plugin = Plugin::new(module)
            .root_id(&self.root_id)
            .vm_id(&self.vm_id)
            .vm_configuration(self.vm_configuration.as_bytes())
            .fail_policy(match self.fail_policy {
                FailPolicyName::FailClosed => FailPolicy::Closed,
                FailPolicyName::FailOpen => FailPolicy::Open,
            })
            .allow_on_headers_stop_iteration(
                self.allow_on_headers_stop_iteration.unwrap_or(is_edge),
            );
        for (name, value) in &self.environment {
            plugin = plugin.env(name, value);
        }
        match (&self.configuration, config) {
            (Some(bytes), _) => plugin.configuration(bytes.clone()),
            (None, Some(config)) => plugin.configuration(config),
            (None, None) => plugin,
        }
    }

    pub(super) fn limits(&self, mut builder: Builder) -> Builder {
        if let Some(fuel) = self.fuel {
            builder = builder.fuel(fuel);
        }
        if let Some(memory) = self.memory {
            builder = builder.memory(memory);
        }
        builder
    }
}

/// A configuration of Leasehold's edge, whose Envoy files differ from Envoy's defaults.
pub(super) fn is_edge_policy(config: Option<&Value>) -> bool {
    let has = |field| config.is_some_and(|config| config.get(field).is_some());
    has("destinations") || has("custody") || has("posture")
}

/// # Errors
/// A duration that is none.
pub(super) fn clusters(scripts: &ClusterScripts, mut builder: Builder) -> Result<Builder, String> {
    for (name, answers) in scripts {
        let answers = answers.iter().map(ClusterAnswer::answer).collect::<Result<Vec<_>, _>>();
        let answers = answers.map_err(|reason| format!("clusters.{name}: {reason}"))?;
        let mut turn = 0;
        let cluster = Cluster::answering_with(move |_| {
            let answer = answers.get(turn).or(answers.last()).cloned();
            turn += 1;
            answer.unwrap_or(Answer::Never)
        });
        builder = builder.cluster(name, cluster);
    }
    Ok(builder)
}

// === impl ClusterAnswer ===

impl Default for ClusterAnswer {
    fn default() -> Self {
        let (headers, body) = (BTreeMap::new(), String::new());
        Self { status: 200, headers, body, after: None, fault: None }
    }
}

impl ClusterAnswer {
    fn answer(&self) -> Result<Answer, String> {
        let after = self.after.as_deref().map_or(Ok(Duration::ZERO), duration)?;
        let answer = match self.fault {
            Some(ClusterFault::Silence) => Answer::Never,
            Some(ClusterFault::Reset) => Answer::reset(),
            Some(ClusterFault::ConnectFailure) => Answer::connect_failure(),
            Some(ClusterFault::NoHealthyUpstream) => Answer::NoHealthyUpstream,
            None => {
                let headers = self.headers.iter();
                let headers: Vec<_> =
                    headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let response = CalloutResponse::new(self.status, &headers, self.body.as_bytes());
                Answer::Response { response, delay: Duration::ZERO }
            }
        };
        Ok(answer.after(after))
    }
}
