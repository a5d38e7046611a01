;; It drops the body of a request by StopIterationNoBuffer: the upstream waits for what content-length says.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (select (i32.const 0) (i32.const 3) (local.get 2)))
  (func (export "proxy_on_log") (param i32)))
