;; A start section that logs.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func $begin (drop (call $log (i32.const 2) (i32.const 1024) (i32.const 4))))
  (start $begin)
  (data (i32.const 1024) "text"))
