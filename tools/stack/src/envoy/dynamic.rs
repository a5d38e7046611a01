//! Listeners that Envoy reads from a file and reads again when the file is replaced (LDS).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::EnvoyError;

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// The file that the listeners are in.
#[derive(Clone, Debug)]
pub struct ListenerFile {
    path: PathBuf,
    version: u64,
}

// === impl ListenerFile ===

impl ListenerFile {
    /// Takes the listeners out of a [rendered](super::EdgeSettings::render) configuration and puts them into
    /// `directory/listeners.json`; the configuration that reads them from there.
    ///
    /// # Errors
    /// [`EnvoyError::Start`] when it is no configuration with listeners, [`EnvoyError::Io`] when the
    /// file cannot be written.
    pub fn split(config: &str, directory: &Path) -> Result<(String, Self), EnvoyError> {
        let (mut root, listeners) = take_listeners(config)?;
        let path = directory.join("listeners.json");
        let source = json!({
            "resource_api_version": "V3",
            "path_config_source": {"path": path, "watched_directory": {"path": directory}},
        });
        root["dynamic_resources"] = json!({"lds_config": source});
        let mut file = Self { path, version: 0 };
        file.write(&listeners)?;
        Ok((root.to_string(), file))
    }

    /// Puts the listeners of another configuration in place of those that are there, by a rename.
    ///
    /// # Errors
    /// As [`Self::split`].
    pub fn replace(&mut self, config: &str) -> Result<(), EnvoyError> {
        let (_, listeners) = take_listeners(config)?;
        self.write(&listeners)
    }

    fn write(&mut self, listeners: &[Value]) -> Result<(), EnvoyError> {
        self.version += 1;
        let text = json!({"version_info": self.version.to_string(), "resources": listeners});
        let new = self.path.with_extension("new");
        fs::write(&new, text.to_string())
            .and_then(|()| fs::rename(&new, &self.path))
            .map_err(EnvoyError::io(self.path.display().to_string()))
    }
}

fn take_listeners(config: &str) -> Result<(Value, Vec<Value>), EnvoyError> {
    let broken =
        |reason: &str| EnvoyError::Start(format!("cannot split a configuration: {reason}"));
    let mut root: Value =
        serde_json::from_str(config).map_err(|error| broken(&error.to_string()))?;
    let listeners = root.pointer_mut("/static_resources/listeners").map(Value::take);
    let Some(Value::Array(mut listeners)) = listeners else {
        return Err(broken("it has no static_resources.listeners"));
    };
    for listener in &mut listeners {
        listener["@type"] = json!(LISTENER);
    }
    Ok((root, listeners))
}
