# apt with its state in the current folder: `apt.sh BASE`. It reads the proxy of the environment, and the CA by an option.
set -e
mkdir -p state/lists/partial cache/archives/partial
echo "deb [trusted=yes] $1/debian stable main" > sources.list
exec apt-get update -o Dir::State="$PWD/state" -o Dir::Cache="$PWD/cache" -o Dir::Etc::SourceList="$PWD/sources.list" \
  -o Dir::Etc::SourceParts=- -o Acquire::https::CaInfo="$SSL_CERT_FILE" -o Acquire::Languages=none \
  -o APT::Sandbox::User=root -o Debug::NoLocking=true -o APT::Update::Error-Mode=any -o Acquire::Retries=0
