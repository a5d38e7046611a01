;; A module of 2020: callbacks for headers without an end of stream, and the imports of ABI 0.1.0 alone.
;; It logs its configurations and headers. With the request and with the response it asks the cluster
;; `authority`, and goes on when it has the answer.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_configuration" (func $configuration (param i32 i32) (result i32)))
  (import "env" "proxy_continue_request" (func $continue_request (result i32)))
  (import "env" "proxy_continue_response" (func $continue_response (result i32)))
  (import "env" "proxy_clear_route_cache" (func $clear_route_cache (result i32)))
  (import "env" "proxy_get_status" (func $status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $speak_for (param i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $heap (mut i32) (i32.const 65536))
  (global $stream (mut i32) (i32.const 0))
  (global $answering (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_1_0"))
  (func (export "malloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $size)))
    (local.get $at))

  ;; What a call gave: an address at 8, a size at 12.
  (func $log_result
    (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12)))))
  (func $log_configuration
    (i64.store (i32.const 8) (i64.const 0))
    (drop (call $configuration (i32.const 8) (i32.const 12)))
    (call $log_result))
  (func $log_header (param $map i32) (param $name i32) (param $size i32)
    (i64.store (i32.const 8) (i64.const 0))
    (drop (call $header (local.get $map) (local.get $name) (local.get $size)
      (i32.const 8) (i32.const 12)))
    (call $log_result))

  (func $ask
    (drop (call $call (i32.const 1100) (i32.const 9) (i32.const 1200) (i32.const 61)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 16))))

  (func (export "proxy_on_context_create") (param $context i32) (param $root i32)
    (if (i32.eqz (local.get $root)) (then (call $log_configuration))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (call $log_configuration) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $log_configuration) (i32.const 1))
  (func (export "proxy_on_request_headers") (param $context i32) (param i32) (result i32)
    (global.set $stream (local.get $context))
    (call $log_configuration)
    (call $log_header (i32.const 0) (i32.const 1024) (i32.const 5))
    (call $log_header (i32.const 0) (i32.const 1032) (i32.const 6))
    (call $log_header (i32.const 2) (i32.const 1032) (i32.const 6))
    (call $log_header (i32.const 99) (i32.const 1032) (i32.const 6))
    (drop (call $property (i32.const 1040) (i32.const 11) (i32.const 8) (i32.const 12)))
    (call $log_result)
    (drop (call $clear_route_cache))
    (call $ask)
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $status (i32.const 20) (i32.const 8) (i32.const 12)))
    (call $log_result)
    (call $log_header (i32.const 6) (i32.const 1056) (i32.const 7))
    (drop (call $speak_for (global.get $stream)))
    (if (global.get $answering)
      (then (drop (call $continue_response)) (global.set $answering (i32.const 0)))
      (else (drop (call $continue_request)))))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32) (result i32)
    (call $log_header (i32.const 2) (i32.const 1056) (i32.const 7))
    (call $log_header (i32.const 0) (i32.const 1024) (i32.const 5))
    (global.set $answering (i32.const 1))
    (call $ask)
    (i32.const 1))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))
  (func (export "proxy_on_log") (param i32)
    (call $log_header (i32.const 0) (i32.const 1024) (i32.const 5))
    (call $log_header (i32.const 3) (i32.const 1032) (i32.const 6)))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32))
  ;; Of 0.2.0 alone: of another signature, and never looked for.
  (func (export "proxy_on_foreign_function"))

  (data (i32.const 1024) ":path")
  (data (i32.const 1032) "x-none")
  (data (i32.const 1040) "plugin_name")
  (data (i32.const 1056) ":status")
  (data (i32.const 1100) "authority")
  ;; Three pairs: :method GET, :path /, :authority a.
  (data (i32.const 1200) "\03\00\00\00"
    "\07\00\00\00\03\00\00\00" "\05\00\00\00\01\00\00\00" "\0a\00\00\00\01\00\00\00"
    ":method\00GET\00" ":path\00/\00" ":authority\00a\00"))
