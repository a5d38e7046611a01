;; Vectors inside of functions.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (i32x4.extract_lane 0 (i32x4.sub (v128.const i32x4 1 2 3 4) (v128.const i32x4 1 2 3 4)))))
