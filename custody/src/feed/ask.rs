//! `?cursor=C&wait=S`

use lease::{SYNC_WAIT_CEILING, is_cursor};
use std::time::Duration;

/// What an edge wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// From the answer before; `None`: everything.
    pub cursor: Option<String>,
    pub wait: Duration,
}

/// The query does not follow the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskError;

// === impl Ask ===

impl Ask {
    /// Neither value needs escaping, so none is undone: `%` is in no cursor. `wait` is whole seconds;
    /// without it the answer comes at once.
    pub fn parse(query: &str) -> Result<Self, AskError> {
        let (mut cursor, mut wait) = (None, None);
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            match pair.split_once('=').ok_or(AskError)? {
                ("cursor", text) if cursor.is_none() && is_cursor(text) => {
                    cursor = Some(text.to_owned());
                }
                ("wait", text) if wait.is_none() => wait = Some(seconds(text)?),
                _ => return Err(AskError),
            }
        }
        Ok(Self { cursor, wait: wait.unwrap_or_default() })
    }
}

fn seconds(text: &str) -> Result<Duration, AskError> {
    let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = text.parse().map_err(|_| AskError)?;
    if plain && seconds <= SYNC_WAIT_CEILING {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(AskError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_query_is_strict() {
        let ask = |cursor: Option<&str>, wait| {
            Ok(Ask { cursor: cursor.map(str::to_owned), wait: Duration::from_secs(wait) })
        };
        assert_eq!(Ask::parse(""), ask(None, 0));
        assert_eq!(Ask::parse("wait=30"), ask(None, 30));
        assert_eq!(Ask::parse("cursor=a-1.ff"), ask(Some("a-1.ff"), 0));
        assert_eq!(Ask::parse("wait=0&cursor=a"), ask(Some("a"), 0));
        for bad in [
            "wait=31",
            "wait=",
            "wait=-1",
            "wait=+1",
            "wait=1.5",
            "wait=001",
            "wait",
            "cursor=",
            "cursor=a%20b",
            "cursor=a b",
            "cursor=a&cursor=a",
            "wait=1&wait=1",
            "x=1",
            "&",
            "=",
            "wait=1&",
            "Wait=1",
        ] {
            assert_eq!(Ask::parse(bad), Err(AskError), "{bad}");
        }
        assert_eq!(Ask::parse(&format!("cursor={}", "a".repeat(65))), Err(AskError));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(query in "\\PC{0,80}") {
            let _ = Ask::parse(&query);
        }

        #[test]
        fn what_is_taken_is_in_bounds(query in "(cursor|wait)=[0-9a-z.-]{0,70}(&(cursor|wait)=[0-9a-z]{0,3})?") {
            if let Ok(ask) = Ask::parse(&query) {
                prop_assert!(ask.wait.as_secs() <= SYNC_WAIT_CEILING);
                prop_assert!(ask.cursor.is_none_or(|cursor| is_cursor(&cursor)));
            }
        }
    }
}
