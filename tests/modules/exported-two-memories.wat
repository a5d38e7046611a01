;; Two memories, both exported.
(module
  (memory (export "memory") 1)
  (memory (export "other") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768)))
