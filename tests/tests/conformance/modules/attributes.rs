//! A module that asks for every attribute in three phases, and logs what it gets: `path phase status value`,
//! the value in hexadecimal.

use std::fmt::Write;

use super::Guest;

/// Paths of attributes that a guest of any proxy may ask for.
const PATHS: [&str; 111] = [
    "source",
    "source.address",
    "source.port",
    "source.none",
    "destination",
    "destination.address",
    "destination.port",
    "connection",
    "connection.id",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.tls_version",
    "connection.subject_local_certificate",
    "connection.subject_peer_certificate",
    "connection.dns_san_local_certificate",
    "connection.uri_san_peer_certificate",
    "connection.sha256_peer_certificate_digest",
    "connection.termination_details",
    "connection.transport_failure_reason",
    "connection_id",
    "request",
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.scheme",
    "request.method",
    "request.headers.x-one",
    "request.referer",
    "request.useragent",
    "request.time",
    "request.id",
    "request.protocol",
    "request.duration",
    "request.size",
    "request.total_size",
    "request.headers_bytes",
    "request.query_params",
    "response",
    "response.code",
    "response.code_details",
    "response.flags",
    "response.grpc_status",
    "response.headers.server",
    "response.trailers.x",
    "response.size",
    "response.total_size",
    "response.headers_bytes",
    "response.backend_latency",
    "upstream",
    "upstream.address",
    "upstream.port",
    "upstream.local_address",
    "upstream.transport_failure_reason",
    "upstream.request_attempt_count",
    "upstream.cx_pool_ready_duration",
    "upstream.num_endpoints",
    "upstream.locality",
    "upstream.tls_version",
    "upstream.subject_peer_certificate",
    "xds",
    "xds.node",
    "xds.node.id",
    "xds.node.cluster",
    "xds.node.metadata",
    "xds.node.locality",
    "xds.node.locality.region",
    "xds.node.user_agent_name",
    "xds.node.none",
    "xds.cluster_name",
    "xds.cluster_metadata",
    "xds.route_name",
    "xds.route_metadata",
    "xds.virtual_host_name",
    "xds.virtual_host_metadata",
    "xds.upstream_host_metadata",
    "xds.upstream_host_locality_metadata",
    "xds.filter_chain_name",
    "xds.listener_metadata",
    "xds.listener_direction",
    "xds.listener_name",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "plugin_name.x",
    "node",
    "node.id",
    "node.metadata",
    "metadata",
    "filter_state",
    "upstream_filter_state",
    "filter_state.wasm.none",
    "cluster_name",
    "route_name",
    "listener_direction",
    "listener_metadata",
    "cluster_metadata",
    "route_metadata",
    "upstream_host_metadata",
    "listener",
    "cluster",
    "route",
    "virtual_host_name",
    "api",
    "context",
    "check_error_code",
    "request.none",
    "none",
    "request.headers",
    "response.headers",
    "response.trailers",
];

/// What only the machine, the moment or the configuration decides. Envoy's own `date` is among the headers of a
/// response when it is logged.
const OF_THE_MOMENT: [&str; 22] = [
    "source.address",
    "source.port",
    "destination.address",
    "destination.port",
    "connection.id",
    "connection_id",
    "request.time",
    "request.duration",
    "response.backend_latency",
    "upstream.address",
    "upstream.port",
    "upstream.local_address",
    "upstream.cx_pool_ready_duration",
    "xds.node",
    "xds.node.user_agent_name",
    "xds.cluster_name",
    "xds.virtual_host_name",
    "node",
    "response.total_size",
    "response.headers_bytes",
    "request.headers",
    "response.headers",
];

/// Where the paths are: each as it is asked for, and then as it is logged.
const TEXTS: usize = 8192;
/// Where a line is made.
const LINE: usize = 2048;

pub fn guest() -> Guest {
    let (mut data, mut table, mut at) = (String::new(), String::new(), TEXTS);
    for path in PATHS {
        let asked = path.replace('.', "\\00");
        let _ = writeln!(data, "(data (i32.const {at}) \"{asked}{path} \")");
        let word = |number: usize| {
            let bytes = u32::try_from(number).unwrap().to_le_bytes();
            bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>()
        };
        table += &(word(at) + &word(path.len()));
        at += 2 * path.len() + 1;
    }
    let text = GUEST
        .replace("$COUNT", &PATHS.len().to_string())
        .replace("$LINE", &LINE.to_string())
        .replace("$HEX", HEX)
        .replace("$TABLE", &table)
        .replace("$DATA", &data);
    let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let name = "attributes in three phases".to_owned();
    Guest { name, module, configuration: String::new(), comparable }
}

/// Of the moment's own values only that they are there.
fn comparable(line: String) -> String {
    let mut words = line.splitn(3, ' ');
    let (path, phase, rest) = (words.next(), words.next(), words.next());
    match (path, phase, rest) {
        (Some(path), Some(phase), Some(rest)) if OF_THE_MOMENT.contains(&path) => {
            let status = rest.split(' ').next().unwrap_or_default();
            format!("{path} {phase} {status}")
        }
        _ => line,
    }
}

/// Writes a line, byte by byte, at the global `$end`.
pub const HEX: &str = r#"
(func $put (param $byte i32)
  (i32.store8 (global.get $end) (local.get $byte))
  (global.set $end (i32.add (global.get $end) (i32.const 1))))
(func $digit (param $digit i32)
  (call $put (i32.add (local.get $digit)
    (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10))))))
;; As many bytes as are logged, in hexadecimal.
(func $bytes (param $at i32) (param $size i32) (local $last i32)
  (if (i32.gt_u (local.get $size) (i32.const 64)) (then (local.set $size (i32.const 64))))
  (local.set $last (i32.add (local.get $at) (local.get $size)))
  (block $whole
    (loop $byte
      (br_if $whole (i32.eq (local.get $at) (local.get $last)))
      (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
      (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $byte))))
"#;

const GUEST: &str = r#"(module
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 4)
(global $end (mut i32) (i32.const 0))
(func (export "proxy_abi_version_0_2_1"))
(func (export "malloc") (param i32) (result i32) (i32.const 131072))
$HEX
(func $all (param $phase i32) (local $n i32) (local $path i32) (local $size i32)
  (loop $next
    (local.set $path (i32.load (i32.add (i32.const 4096) (i32.mul (local.get $n) (i32.const 8)))))
    (local.set $size
      (i32.load offset=4 (i32.add (i32.const 4096) (i32.mul (local.get $n) (i32.const 8)))))
    (i64.store (i32.const 8) (i64.const 0))
    (global.set $end (i32.const $LINE))
    (memory.copy (i32.const $LINE) (i32.add (local.get $path) (local.get $size))
      (i32.add (local.get $size) (i32.const 1)))
    (global.set $end (i32.add (i32.const $LINE) (i32.add (local.get $size) (i32.const 1))))
    (call $put (local.get $phase))
    (call $put (i32.const 32))
    (call $digit (call $get (local.get $path) (local.get $size) (i32.const 8) (i32.const 12)))
    (call $put (i32.const 32))
    (call $bytes (i32.load (i32.const 8)) (i32.load (i32.const 12)))
    (drop (call $log (i32.const 2) (i32.const $LINE)
      (i32.sub (global.get $end) (i32.const $LINE))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $n) (i32.const $COUNT)))))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
  (call $all (i32.const 97)) (i32.const 0))
(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
  (call $all (i32.const 98)) (i32.const 0))
(func (export "proxy_on_log") (param i32) (call $all (i32.const 99)))
(func (export "proxy_on_configure") (param i32 i32) (result i32)
  (call $all (i32.const 100)) (i32.const 1))
(data (i32.const 4096) "$TABLE")
$DATA)"#;
