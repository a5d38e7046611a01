//! The part of a command's standard error that custody logs.
//!
//! A command may print the secret it works with. Custody logs nothing of a text that holds a secret of
//! the run, and replaces every word that looks like one. A command that prints a short password in its
//! errors still discloses it; docs/configuration.md has that warning.

/// Bytes of a command's text that are logged, at most.
const MOST: usize = 300;
/// A run of letters and digits of this length is taken for a secret.
const LONG: usize = 20;
/// A known secret that is shorter is not looked for: it would be found everywhere.
const SHORT: usize = 4;

/// One line for the log.
pub(super) fn told(text: &[u8], known: &[&[u8]]) -> String {
    let holds = |secret: &&[u8]| {
        let secret = secret.trim_ascii();
        secret.len() >= SHORT && text.windows(secret.len()).any(|window| window == secret)
    };
    if known.iter().any(holds) {
        return "its error text holds a secret, so custody does not log it".into();
    }
    let text = String::from_utf8_lossy(text);
    let mut line = String::with_capacity(MOST);
    let mut word = String::new();
    for c in text.trim().chars().chain([' ']) {
        if is_of_a_secret(c) {
            word.push(c);
            continue;
        }
        line.push_str(if looks_secret(&word) { "[removed]" } else { &word });
        word.clear();
        let c = if c.is_control() { ' ' } else { c };
        if !(c == ' ' && line.ends_with(' ')) {
            line.push(c);
        }
        if line.len() > MOST {
            line.truncate(line.floor_char_boundary(MOST));
            line.push_str("...");
            break;
        }
    }
    match line.trim() {
        "" => "it wrote nothing to its standard error".into(),
        line => format!("it wrote: {line}"),
    }
}

/// The characters of base64, base64url and hex. Not `/`: it is in every path, and divides base64 only
/// into parts that still look like a secret.
fn is_of_a_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '_' | '=' | '~')
}

/// Words of a language have no digits.
fn looks_secret(word: &str) -> bool {
    word.len() >= LONG && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_stays_readable() {
        let text =
            "\n\x1b[31mERROR: (gcloud.auth) You do not have access\r\n  to secret op://prod/llm.\n";
        let told = told(text.as_bytes(), &[b"canary"]);
        assert_eq!(
            told,
            "it wrote: [31mERROR: (gcloud.auth) You do not have access to secret op://prod/llm."
        );
        assert_eq!(super::told(b" \n", &[]), "it wrote nothing to its standard error");
    }

    #[test]
    fn a_known_secret_withholds_the_whole_text() {
        for secret in [&b"s3cr3t"[..], b"s3cr3t\n"] {
            let told = told(b"denied for s3cr3t at host", &[b"", secret]);
            assert_eq!(told, "its error text holds a secret, so custody does not log it");
        }
    }

    #[test]
    fn a_word_that_looks_like_a_secret_is_removed() {
        for secret in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9",
            "0f9e8d7c6b5a49382716",
        ] {
            let told = told(format!("token {secret}: expired").as_bytes(), &[]);
            assert_eq!(told, "it wrote: token [removed]: expired");
        }
    }

    #[test]
    fn a_long_text_is_cut() {
        let told = told("wörd ".repeat(1000).as_bytes(), &[]);
        assert!(told.len() < 330 && told.ends_with("..."), "{told}");
    }
}
