//! A module that evaluates expressions of the Common Expression Language, and logs what comes of each:
//! `status of expr_create, status of expr_evaluate, value in hexadecimal`.

use std::fmt::Write;

use super::Guest;
use super::attributes::HEX;

const EXPRESSIONS: [&str; 138] = [
    "1 + 1",
    "1u + 2u",
    "3.5 / 2.0",
    "1 / 0",
    "7 % 3",
    "-3",
    "'a' + 'b'",
    "\"a\" == 'a'",
    "1 == 1.0",
    "1 < 2 && 2 < 3",
    "true ? 'yes' : 'no'",
    "b'ab'",
    "null",
    "[1, 2, 3]",
    "[1, 2, 3].exists(x, x > 2)",
    "[1, 2, 3].all(x, x > 2)",
    "[1, 2, 3].map(x, x * 2)",
    "[1, 2, 3].filter(x, x > 2)",
    "{'a': 1}",
    "{'a': 1}.a",
    "{'a': 1}.b",
    "size('hello')",
    "'hello'.size()",
    "size([1, 2])",
    "'hello'.contains('ell')",
    "'hello'.startsWith('he')",
    "'hello'.endsWith('lo')",
    "'hello'.matches('h.*o')",
    "'hello'.matches('l+')",
    "matches('hello', '^h')",
    "int('42')",
    "string(42)",
    "string(1.5)",
    "double('1.5')",
    "uint(7)",
    "int(3.9)",
    "bytes('ab')",
    "type(1)",
    "duration('90s')",
    "duration('1.5s') + duration('500ms')",
    "timestamp('2024-01-02T03:04:05Z')",
    "timestamp('2024-01-02T03:04:05Z').getFullYear()",
    "timestamp('2024-01-02T03:04:05Z') + duration('1s')",
    "timestamp('2024-01-02T03:04:05Z') < request.time",
    "2 in [1, 2]",
    "'a' in {'a': 1}",
    "has(request.path)",
    "has(request.nothing)",
    "has(request.headers)",
    "request.path",
    "request.url_path",
    "request.query",
    "request.host",
    "request.method == 'GET'",
    "request.scheme",
    "request.protocol",
    "request.headers['x-one']",
    "request.headers['x-none']",
    "'x-one' in request.headers",
    "request.headers['x-one'] == '1' && request.path.startsWith('/get')",
    "request.size",
    "request.total_size",
    "request.useragent",
    "request.nothing",
    "has(request.duration)",
    "response.code",
    "response.headers['server']",
    "response.code == 200",
    "response.code >= 200 && response.code < 300",
    "connection.mtls",
    "connection.requested_server_name",
    "connection.tls_version",
    "source.address.contains(':')",
    "source.port > 1",
    "destination.port > 1",
    "xds.route_name",
    "xds.filter_chain_name",
    "xds.listener_direction",
    "xds.node.id",
    "xds.route_metadata.filter_metadata",
    "size(xds.route_metadata.filter_metadata)",
    "metadata.filter_metadata",
    "'a' in metadata.filter_metadata",
    "size(metadata.filter_metadata)",
    "upstream.request_attempt_count",
    "upstream.port > 0",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id == 'vm'",
    "filter_state",
    "'x' in filter_state",
    "filter_state.none",
    "nothing",
    "nothing.at.all",
    "nothing()",
    "request.path.lowerAscii()",
    "request.path.split('/')",
    "'%s'.format(['a'])",
    "math.greatest(1, 2)",
    "1 +",
    "request.",
    "'unterminated",
    "true || 1 / 0 == 1",
    "false && 1 / 0 == 1",
    "1 / 0 == 1 || true",
    "'b' > 'a'",
    "[1, 2] + [3]",
    "[1, 2] == [1, 2]",
    "[1, 2][1]",
    "[1, 2][5]",
    "{'a': 1, 'b': 2}.size()",
    "dyn(1)",
    "1 + 1u",
    "1 + 1.0",
    "9223372036854775807 + 1",
    "18446744073709551615u + 1u",
    "!true",
    "!1",
    "-'a'",
    "request.time.getFullYear() > 2020",
    "int(request.time) > 0",
    "string(request.time).size() > 0",
    "r'\\d'",
    "'a\\nb'",
    "'é'.size()",
    "\"\\u00e9\"",
    "/* comment */ 1",
    "// comment",
    "request",
    "xds",
    "metadata",
    "xds.route_metadata",
    "xds.node.metadata",
    "[request.path]",
    "{'path': request.path}",
    "[1u, true, 'a']",
    "request.headers['x-one'] + request.method",
    "upstream.request_attempt_count + 1u",
];

/// Where the expressions are.
const TEXTS: usize = 8192;

pub fn guest() -> Guest {
    let (mut data, mut table, mut at) = (String::new(), String::new(), TEXTS);
    for expression in EXPRESSIONS {
        let bytes =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let word = |number: usize| bytes(&u32::try_from(number).unwrap().to_le_bytes());
        let _ = writeln!(data, "(data (i32.const {at}) \"{}\")", bytes(expression.as_bytes()));
        table += &(word(at) + &word(expression.len()));
        at += expression.len();
    }
    let text = GUEST
        .replace("$COUNT", &EXPRESSIONS.len().to_string())
        .replace("$HEX", HEX)
        .replace("$TABLE", &table)
        .replace("$DATA", &data);
    let module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
    let name = "expressions".to_owned();
    Guest { name, module, configuration: String::new(), comparable }
}

/// With the expression in front.
fn comparable(line: String) -> String {
    let number = line.split(' ').next().and_then(|number| u8::from_str_radix(number, 16).ok());
    let expression = number.and_then(|number| EXPRESSIONS.get(usize::from(number)));
    format!("{}: {line}", expression.unwrap_or(&""))
}

const GUEST: &str = r#"(module
(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
(import "env" "proxy_call_foreign_function"
  (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
(memory (export "memory") 4)
(global $end (mut i32) (i32.const 0))
(global $heap (mut i32) (i32.const 65536))
(func (export "proxy_abi_version_0_2_1"))
(func (export "malloc") (param $size i32) (result i32) (local $at i32)
  (local.set $at (global.get $heap))
  (global.set $heap (i32.add (global.get $heap) (local.get $size)))
  (local.get $at))
$HEX
(func $all (local $n i32) (local $entry i32) (local $token i32)
  (loop $next
    (global.set $heap (i32.const 65536))
    (local.set $entry (i32.add (i32.const 4096) (i32.mul (local.get $n) (i32.const 8))))
    (global.set $end (i32.const 2048))
    (call $digit (i32.shr_u (local.get $n) (i32.const 4)))
    (call $digit (i32.and (local.get $n) (i32.const 15)))
    (call $put (i32.const 32))
    (i64.store (i32.const 8) (i64.const 0))
    (call $digit (call $call (i32.const 1024) (i32.const 11)
      (i32.load (local.get $entry)) (i32.load offset=4 (local.get $entry))
      (i32.const 8) (i32.const 12)))
    (local.set $token (i32.load (i32.const 8)))
    (if (i32.load (i32.const 12)) (then
      (i64.store (i32.const 8) (i64.const 0))
      (call $put (i32.const 32))
      (call $digit (call $call (i32.const 1040) (i32.const 13)
        (local.get $token) (i32.const 4) (i32.const 8) (i32.const 12)))
      (call $put (i32.const 32))
      (call $bytes (i32.load (i32.const 8)) (i32.load (i32.const 12)))
      (drop (call $call (i32.const 1056) (i32.const 11)
        (local.get $token) (i32.const 4) (i32.const 8) (i32.const 12)))))
    (drop (call $log (i32.const 2) (i32.const 2048)
      (i32.sub (global.get $end) (i32.const 2048))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $n) (i32.const $COUNT)))))
(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
  (call $all) (i32.const 0))
(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
  (call $all) (i32.const 0))
(func (export "proxy_on_configure") (param i32 i32) (result i32) (call $all) (i32.const 1))
(func (export "proxy_on_log") (param i32) (call $all))
(data (i32.const 1024) "expr_create")
(data (i32.const 1040) "expr_evaluate")
(data (i32.const 1056) "expr_delete")
(data (i32.const 4096) "$TABLE")
$DATA)"#;
