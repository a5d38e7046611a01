;; Two memories, of which one is exported.
(module
  (memory (export "memory") 1)
  (memory $other 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32.load $other (i32.const 64))))
