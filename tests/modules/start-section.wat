;; A start section without host calls.
(module
  (memory (export "memory") 1)
  (global $ready (mut i32) (i32.const 1))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func $begin (global.set $ready (i32.const 0)))
  (start $begin)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.get $ready)))
