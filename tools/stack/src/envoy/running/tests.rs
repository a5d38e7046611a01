use super::*;

/// An Envoy with a guests' listener that answers everything with 204.
const SMALL: &str = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - name: guests
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: guests
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - {name: all, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 204}}]}
"#;

fn envoy() -> EnvoyBinary {
    EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap()
}

#[test]
fn an_envoy_is_started_questioned_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let running = Envoy::start(&envoy(), SMALL, folder.path()).unwrap();
    assert_ne!(running.listen_address().port(), 0);
    assert_ne!(running.admin().address(), running.listen_address());
    assert_eq!(running.admin().stat("server.live").unwrap(), 1);
    assert!(running.resident_bytes().unwrap() > 1 << 20);
    let missing = running.admin().get("/nonesuch").unwrap_err().to_string();
    assert!(missing.contains("404"), "{missing}");
    let (pid, admin) = (running.pid(), running.admin().clone());
    running.stop().unwrap();
    assert!(admin.get("/ready").is_err());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    let log = fs::read_to_string(folder.path().join("envoy.log")).unwrap();
    assert!(log.contains("ENVOY_SIGTERM"), "an orderly end: {log}");
}

#[test]
fn a_thread_that_ends_takes_no_envoy_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let started = std::thread::spawn(move || Envoy::start(&envoy(), SMALL, &path));
    let mut running = started.join().unwrap().unwrap();
    // The signal, if there were one, was sent before the thread could be joined.
    assert_eq!(running.admin().stat("server.live").unwrap(), 1);
    assert!(running.ended().unwrap().is_none());
    let log = running.log().unwrap();
    assert!(!log.contains("ENVOY_SIGTERM"), "{log}");
    running.stop().unwrap();
}

#[test]
fn a_refused_configuration_is_an_error_with_envoys_words() {
    let folder = tempfile::tempdir().unwrap();
    let config = SMALL.replace("stat_prefix", "start_prefix");
    let error = Envoy::start(&envoy(), &config, folder.path()).err().unwrap().to_string();
    assert!(error.contains("start_prefix") && error.contains("ended"), "{error}");
    assert!(!error.contains("envoy.filters"), "only what matters: {error}");
    let file = folder.path().join("envoy.yaml");
    let error = envoy().validate(&file).unwrap_err().to_string();
    assert!(error.contains("start_prefix"), "{error}");
}

#[test]
fn resident_memory_is_read_in_bytes() {
    assert_eq!(resident_in("Name:\tenvoy\nVmRSS:\t   91748 kB\n"), Some(91748 * 1024));
    assert_eq!(resident_in("Name:\tenvoy\n"), None);
}
