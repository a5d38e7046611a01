//! `session-jwt keygen`.

use session::mint::SigningKey;

use crate::cli::{KeygenArgs, Outcome};
use crate::{key_file, printable};

pub fn run(arguments: &KeygenArgs) -> anyhow::Result<Outcome> {
    key_file::check_name(arguments.kid.as_deref())?;
    let key = SigningKey::generate(arguments.alg.into(), arguments.kid.as_deref())?;
    key_file::write(&arguments.out, &key, arguments.kid.is_some())?;
    eprintln!("wrote {} ({}); keep it private", arguments.out.display(), key.algorithm());
    printable::line(key.kid())?;
    Ok(Outcome::Done)
}
