;; A table of references to nothing of the host's.
(module
  (memory (export "memory") 1)
  (table $held 2 externref)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32.sub (ref.is_null (table.get $held (i32.const 1))) (i32.const 1))))
