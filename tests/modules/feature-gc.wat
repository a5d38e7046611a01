;; Structs of the garbage collector, of which none leaves the module.
(module
  (memory (export "memory") 1)
  (type $point (struct (field $x (mut i32)) (field $y i32)))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (struct.get $point $y (struct.new $point (i32.const 1) (i32.const 0)))))
