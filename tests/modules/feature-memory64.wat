;; A memory of 64 bits.
(module
  (memory (export "memory") i64 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32.load (i64.const 64))))
