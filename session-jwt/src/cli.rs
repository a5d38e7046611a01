//! The command line: every argument with its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use session::{Algorithm, UnixSeconds};

use crate::moment;

const EXAMPLES: &str = "\
Examples:
  session-jwt keygen --out key.pem
  session-jwt jwks key.pem > jwks.json
  session-jwt mint --key key.pem --iss https://control-plane.example \\
      --aud leasehold-edge --sub ci-job-7 --claim team=build
  session-jwt inspect - --jwks jwks.json --iss https://control-plane.example \\
      --aud leasehold-edge < token.txt

Exit codes: 0 done, 1 the token was refused, 2 wrong usage or an unusable file.";

const MINT_EXAMPLES: &str = "\
Examples:
  session-jwt mint --key key.pem --iss https://control-plane.example \\
      --aud leasehold-edge --sub ci-job-7 --claim team=build --claim 'roles=[\"ops\",\"dev\"]'
  TOKEN=$(session-jwt mint --key key.pem --iss I --aud A --sub S --ttl 1h)
  session-jwt mint ... --at 2020-01-01T00:00:00Z     # long expired, to see a refusal";

const INSPECT_EXAMPLES: &str = "\
Examples:
  session-jwt inspect < token.txt
  session-jwt inspect \"$TOKEN\" --jwks jwks.json --iss https://control-plane.example \\
      --aud leasehold-edge
  session-jwt inspect \"$TOKEN\" --json | jq .claims

Other users of the machine can see arguments: hand a live token over on standard input.";

/// How a command ended that did not fail.
pub enum Outcome {
    Done,
    /// `inspect` was asked for a verdict, and the token does not verify.
    Refused,
}

/// Makes keys, key sets and Session JWTs, and shows the content of a token.
#[derive(Debug, Parser)]
#[command(name = "session-jwt", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a private key (PKCS#8 PEM, mode 0600); prints its kid.
    Keygen(KeygenArgs),
    /// Print the public key set (JWKS) of private keys; safe to publish.
    Jwks(JwksArgs),
    /// Mint a Session JWT; prints the token and nothing else.
    #[command(after_help = MINT_EXAMPLES)]
    Mint(MintArgs),
    /// Show the content of a token and, given a key set, whether it would be accepted.
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    /// Signature algorithm.
    #[arg(long, value_enum, default_value = "EdDSA", ignore_case = true)]
    pub alg: AlgorithmName,
    /// Name of the key, kept in the file [default: the RFC 7638 thumbprint].
    #[arg(long)]
    pub kid: Option<String>,
    /// File to write; must not exist yet.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct JwksArgs {
    /// Private key files, as keygen writes them.
    #[arg(required = true, value_name = "KEY.PEM")]
    pub keys: Vec<PathBuf>,
    /// Name of the key, if there is one key only [default: as in the file, else the thumbprint].
    #[arg(long)]
    pub kid: Option<String>,
}

#[derive(Debug, Args)]
pub struct MintArgs {
    /// Private key file, as keygen writes it.
    #[arg(long, value_name = "KEY.PEM")]
    pub key: PathBuf,
    /// Name of the key [default: as in the file, else the thumbprint].
    #[arg(long)]
    pub kid: Option<String>,
    /// Issuer: `session.issuer` of the edge and custody.
    #[arg(long)]
    pub iss: String,
    /// Audience: `session.audience`; repeat it for several.
    #[arg(long, required = true)]
    pub aud: Vec<String>,
    /// Subject: the workload of the token.
    #[arg(long)]
    pub sub: String,
    /// Name of this token [default: random].
    #[arg(long)]
    pub jti: Option<String>,
    /// How long it lives, at most 1h.
    #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// Another claim: NAME=VALUE, the value as JSON if it is JSON, else as text; repeatable.
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub claims: Vec<String>,
    /// Mint as of this moment: Unix seconds or RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub at: Option<UnixSeconds>,
}

#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The token; `-` or nothing reads standard input.
    pub token: Option<String>,
    /// Key set to verify against; without it nothing shown can be trusted.
    #[arg(long, value_name = "JWKS.JSON", requires = "iss", requires = "aud")]
    pub jwks: Option<PathBuf>,
    /// Issuer the token must have.
    #[arg(long, requires = "jwks")]
    pub iss: Option<String>,
    /// Audience the token must name.
    #[arg(long, requires = "jwks")]
    pub aud: Option<String>,
    /// Allowance for clocks that differ, at most 5m.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    pub leeway: Duration,
    /// Judge as of this moment: Unix seconds or RFC 3339 [default: now].
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    pub at: Option<UnixSeconds>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// The names as the command line takes them.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AlgorithmName {
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "ES256")]
    Es256,
    #[value(name = "RS256")]
    Rs256,
}

// === impl AlgorithmName ===

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Algorithm {
        match name {
            AlgorithmName::EdDsa => Algorithm::EdDsa,
            AlgorithmName::Es256 => Algorithm::Es256,
            AlgorithmName::Rs256 => Algorithm::Rs256,
        }
    }
}
