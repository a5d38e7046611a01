;; A function that is exported takes a vector; nobody calls it.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "takes_a_vector") (param v128)))
