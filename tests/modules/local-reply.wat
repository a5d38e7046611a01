;; A local reply with a status, a length and a type among its headers.
(module
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value"
    (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $requests (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 32768))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $requests (i32.add (global.get $requests) (i32.const 1)))
    (if (i32.eq (global.get $requests) (i32.const 1)) (then
      (drop (call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4)
        (i32.const 1100) (i32.const 24) (i32.const -1)))))
    (if (i32.eq (global.get $requests) (i32.const 2)) (then
      (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const 4)
        (i32.const 1200) (i32.const 68) (i32.const -1)))))
    (if (i32.eq (global.get $requests) (i32.const 3)) (then
      (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 1100) (i32.const 24) (i32.const -1)))))
    (i32.const 1))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $header (i32.const 2) (i32.const 1112) (i32.const 7) (i32.const 8) (i32.const 12)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (i32.const 0))
  (data (i32.const 1024) "body")
  ;; :status 200
  (data (i32.const 1100) "\01\00\00\00" "\07\00\00\00\03\00\00\00" ":status\00200\00")
  ;; content-length 9, content-type a/b, x-a 1
  (data (i32.const 1200) "\03\00\00\00"
    "\0e\00\00\00\01\00\00\00" "\0c\00\00\00\03\00\00\00" "\03\00\00\00\01\00\00\00"
    "content-length\009\00" "content-type\00a/b\00" "x-a\001\00"))
