;; A body of another length than `content-length` says: longer on `/post` and its response, and shorter on
;; the response of `/last`.
(module
  (import "env" "proxy_set_buffer_bytes" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $requests (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
    (i32.const 0))
  (func (export "proxy_on_request_body") (param $context i32) (param $size i32) (param i32) (result i32)
    (if (local.get $size) (then
      (drop (call $set (i32.const 0) (i32.const 0) (i32.const 99) (i32.const 1024) (i32.const 17)))))
    (i32.const 0))
  (func (export "proxy_on_response_body") (param $context i32) (param $size i32) (param i32)
    (result i32)
    (if (local.get $size) (then
      (if (i32.lt_u (global.get $requests) (i32.const 3)) (then
        (drop (call $set (i32.const 1) (i32.const 0) (i32.const 99) (i32.const 1024) (i32.const 17))))
      (else
        (drop (call $set (i32.const 1) (i32.const 0) (i32.const 99) (i32.const 1024) (i32.const 3)))))))
    (i32.const 0))
  (data (i32.const 1024) "longer than it is"))
