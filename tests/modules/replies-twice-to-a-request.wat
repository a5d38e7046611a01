;; Two local replies to one request, of which the second counts for nothing.
(module
  (import "env" "proxy_send_local_response"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func $reply
    (drop (call $send (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const -1))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $reply) (call $reply) (i32.const 1))
  (data (i32.const 1024) "text"))
