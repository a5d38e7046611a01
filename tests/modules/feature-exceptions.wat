;; The exceptions of WebAssembly 3.0: thrown and caught in a callback.
(module
  (memory (export "memory") 1)
  (tag $thrown (param i32))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $thrown $caught) (throw $thrown (i32.const 0)))
      (unreachable))))
