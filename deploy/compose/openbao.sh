#!/bin/sh
# `serve`: OpenBao in development mode (in memory, unsealed), with the root token that seed.sh made.
# `seed`: one secret, and a token that may read it and nothing else.
set -eu
umask 077
keys=${OPENBAO_KEYS:-/etc/openbao-keys}

case "$1" in
serve)
  BAO_DEV_ROOT_TOKEN_ID=$(cat "$keys/root-token")
  export BAO_DEV_ROOT_TOKEN_ID
  # The banner shows the root token; the log itself is on standard error.
  exec bao server -dev -dev-no-store-token -config="$(dirname "$0")/openbao.hcl" >/dev/null
  ;;
seed)
  BAO_TOKEN=$(cat "$keys/root-token")
  BAO_ADDR=${BAO_ADDR:-https://openbao:8300}
  BAO_CACERT=$keys/ca.pem
  export BAO_TOKEN BAO_ADDR BAO_CACERT
  bao kv put -mount=secret demo token=@"$keys/demo-credential" >/dev/null
  echo 'path "secret/data/demo" { capabilities = ["read"] }' | bao policy write custody - >/dev/null
  cd "${CUSTODY_KEYS:-/etc/custody-keys}"
  bao token create -orphan -policy=custody -ttl=768h -field=token >openbao-token.new
  mv openbao-token.new openbao-token
  ;;
esac
