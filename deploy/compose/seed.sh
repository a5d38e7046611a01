#!/bin/sh
# Makes what docker-compose.yml needs, once: keys, certificates, passwords, Envoy's configuration. Then,
# and whenever it runs again, a new Session JWT for the guest. Each folder below $SEED is a volume.
set -eu
umask 077
here=$(dirname "$0")
cd "${SEED:-/seed}"

issuer=https://control-plane.example
audience=leasehold-edge

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

make_all() {
  # What a run that was cut off has left.
  find operator custody edge leaf-ca postgres openbao guest -mindepth 1 -delete

  session-jwt keygen --kid compose --out operator/session-key.pem >operator/log 2>&1
  session-jwt jwks operator/session-key.pem >operator/jwks.json
  custody init operator/custody --issuer "$issuer" --audience "$audience" --jwks operator/jwks.json >>operator/log
  for name in server.pem server.key ca.pem root.key jwks.json; do
    cp "operator/custody/$name" "custody/$name"
  done
  cp operator/custody/edge-client.pem operator/custody/edge-client.key edge/
  cp operator/custody/ca.pem edge/custody-ca.pem

  # PostgreSQL and OpenBao each get a certificate of a CA of their own; nothing else of this is used.
  for server in postgres openbao; do
    custody init "operator/$server" --name "$server" >>operator/log
    for name in server.pem server.key ca.pem; do
      cp "operator/$server/$name" "$server/$name"
    done
    cp "operator/$server/ca.pem" "custody/$server-ca.pem"
  done
  random >postgres/password
  cp postgres/password custody/postgres-password
  random >openbao/root-token
  random >openbao/demo-credential
  echo "demo-$(random)" >custody/demo-credential

  leaf-ca init operator/leaf-ca >>operator/log
  cp operator/leaf-ca/ca.pem operator/leaf-ca/ca.key leaf-ca/
  cp operator/leaf-ca/ca.pem guest/ca.pem

  # The filter is told the public half of the session key in its configuration.
  x=$(sed -n 's/.*"x": *"\([^"]*\)".*/\1/p' operator/jwks.json)
  sed "s/\"kid\": \"example-1\", \"x\": \"[^\"]*\"/\"kid\": \"compose\", \"x\": \"$x\"/" \
    "$here/envoy.yaml" >edge/envoy.yaml
  grep -q "\"kid\": \"compose\", \"x\": \"$x\"" edge/envoy.yaml
  touch operator/complete
}

[ -e operator/complete ] || make_all

token=$(session-jwt mint --key operator/session-key.pem --iss "$issuer" --aud "$audience" \
  --sub compose-guest --claim team=demo --ttl 1h)
# In one step, so that a curl that starts now reads the old or the new one.
cat >guest/.curlrc.new <<RC
proxy = "http://edge:3128"
proxy-user = "session:$token"
cacert = "/guest/ca.pem"
RC
mv guest/.curlrc.new guest/.curlrc
echo "seeded: the guest has a Session JWT for an hour"
