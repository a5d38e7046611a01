//! What the command line says about the plugin, its clusters and its request.

use super::exit::Exit;
use clap::Args;
use host_sim::cases::{ClusterAnswer, ClusterScripts, FailPolicyName, PluginSpec, request_text};
use std::fs;
use std::path::{Path, PathBuf};

/// The plugin as Envoy's configuration has it.
#[derive(Args)]
pub struct PluginSettings {
    /// The plugin configuration, as these bytes.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    raw_config: Option<PathBuf>,
    /// The plugin's root_id.
    #[arg(long, value_name = "ID", default_value = "")]
    root_id: String,
    /// The vm_id.
    #[arg(long, value_name = "ID", default_value = "")]
    vm_id: String,
    /// The VM configuration, as a text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    vm_config: String,
    /// An environment variable of the VM; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Skip the filter after its VM has failed; by default Envoy answers 503.
    #[arg(long)]
    fail_open: bool,
    /// Envoy's allow_on_headers_stop_iteration: a pause at headers holds the headers alone.
    #[arg(long)]
    allow_on_headers_stop_iteration: bool,
}

/// What a callback and a VM may use.
#[derive(Args)]
pub struct Budgets {
    /// Instructions that a callback may take; 2000000000 unless told otherwise.
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// Bytes of memory that a VM may have; 1 GiB unless told otherwise. Suffixes: K, M, G.
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<usize>,
}

// === impl PluginSettings ===

impl PluginSettings {
    pub fn spec(&self) -> Result<PluginSpec, Exit> {
        let mut spec = PluginSpec {
            root_id: self.root_id.clone(),
            vm_id: self.vm_id.clone(),
            vm_configuration: self.vm_config.clone(),
            allow_on_headers_stop_iteration: self.allow_on_headers_stop_iteration.then_some(true),
            ..PluginSpec::default()
        };
        if self.fail_open {
            spec.fail_policy = FailPolicyName::FailOpen;
        }
        for variable in &self.env {
            let (name, value) = variable.split_once('=').ok_or_else(|| {
                Exit::malformed(format!("--env {variable:?}: write it as NAME=VALUE"))
            })?;
            spec.environment.insert(name.to_owned(), value.to_owned());
        }
        if let Some(path) = &self.raw_config {
            let bytes = fs::read(path).map_err(|error| Exit::unreadable(path, &error))?;
            spec.configuration = Some(bytes);
        }
        Ok(spec)
    }
}

// === impl Budgets ===

impl Budgets {
    pub fn apply(&self, spec: &mut PluginSpec) {
        spec.fuel = self.fuel.or(spec.fuel);
        spec.memory = self.memory.or(spec.memory);
    }
}

/// `65536`, `64K`, `16M`, `1G`.
fn bytes(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (text.get(..at), 1 << 10),
        Some((at, 'M' | 'm')) => (text.get(..at), 1 << 20),
        Some((at, 'G' | 'g')) => (text.get(..at), 1 << 30),
        _ => (Some(text), 1),
    };
    let number = digits.and_then(|digits| digits.parse::<usize>().ok());
    let number = number.and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| "not a number of bytes, such as 16M".to_owned())
}

/// `NAME=200`, `NAME=200:body`, `NAME=silence`, one answer each, in turn.
pub fn clusters(texts: &[String]) -> Result<ClusterScripts, Exit> {
    let mut scripts = ClusterScripts::new();
    for text in texts {
        let wrong = || {
            Exit::malformed(format!(
                "--cluster {text:?}: write it as NAME=STATUS:BODY, or NAME=silence, reset, \
                 connect_failure or no_healthy_upstream"
            ))
        };
        let (name, answer) = text.split_once('=').ok_or_else(wrong)?;
        let (status, body) = answer.split_once(':').unwrap_or((answer, ""));
        let fault = serde_json::from_value(status.into()).ok();
        let status = match fault {
            Some(_) => 0,
            None => status.parse().map_err(|_| wrong())?,
        };
        let answer = ClusterAnswer { status, body: body.to_owned(), fault, ..Default::default() };
        scripts.entry(name.to_owned()).or_default().push(answer);
    }
    Ok(scripts)
}

/// The request as HTTP/1.1 text: a line such as `GET /path`, or a file.
pub fn request(request: &str, headers: &[String], body: Option<&str>) -> Result<String, Exit> {
    let is_line = request.split_once(' ').is_some_and(|(method, target)| {
        method.bytes().all(|byte| byte.is_ascii_uppercase()) && !target.is_empty()
    });
    let path = Path::new(request);
    let mut text = match is_line && !path.is_file() {
        true if request.contains(" HTTP/1.") => format!("{request}\n\n"),
        true => format!("{request} HTTP/1.1\n\n"),
        false => fs::read_to_string(path).map_err(|error| Exit::unreadable(path, &error))?,
    };
    for header in headers {
        let (name, value) = header
            .split_once(':')
            .ok_or_else(|| Exit::malformed(format!("-H {header:?}: write it as 'name: value'")))?;
        text = request_text::with_header(&text, name.trim(), value.trim());
    }
    let (head, _) = request_text::split_head(&text);
    let has_host = |line: &str| line.to_ascii_lowercase().starts_with("host:");
    if is_line && !head.lines().any(has_host) && !head.contains("://") {
        text = request_text::with_header(&text, "Host", "localhost");
    }
    if let Some(body) = body {
        let (head, _) = request_text::split_head(&text);
        text = format!("{head}\n\n{body}");
    }
    Ok(text)
}
