;; Exceptions as they were before WebAssembly 3.0, which emscripten still writes by default.
(module
  (memory (export "memory") 1)
  (tag $thrown (param i32))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    try (result i32)
      i32.const 0
      throw $thrown
    catch $thrown
    end))
