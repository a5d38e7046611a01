# Besides the loopback listener of -dev: the one custody calls.
listener "tcp" {
  address       = "0.0.0.0:8300"
  tls_cert_file = "/etc/openbao-keys/server.pem"
  tls_key_file  = "/etc/openbao-keys/server.key"
}
