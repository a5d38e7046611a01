;; Arithmetic in the initial value of a global.
(module
  (memory (export "memory") 1)
  (global $zero i32 (i32.sub (i32.const 5) (i32.const 5)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.get $zero)))
