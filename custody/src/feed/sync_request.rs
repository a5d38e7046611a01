//! `?cursor=C&wait=S`

use lease::{SYNC_WAIT_CEILING, is_cursor};
use std::time::Duration;

/// The query of one poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncRequest {
    /// From the answer before; `None`: everything.
    pub cursor: Option<String>,
    pub wait: Duration,
}

/// The query does not follow the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncRequestError;

// === impl SyncRequest ===

impl SyncRequest {
    /// Neither value needs escaping, so none is undone: `%` is in no cursor. `wait` is whole seconds;
    /// without it the answer comes at once.
    pub fn parse(query: &str) -> Result<Self, SyncRequestError> {
        let (mut cursor, mut wait) = (None, None);
        for pair in query.split('&').filter(|_| !query.is_empty()) {
            match pair.split_once('=').ok_or(SyncRequestError)? {
                ("cursor", text) if cursor.is_none() && is_cursor(text) => {
                    cursor = Some(text.to_owned());
                }
                ("wait", text) if wait.is_none() => wait = Some(seconds(text)?),
                _ => return Err(SyncRequestError),
            }
        }
        Ok(Self { cursor, wait: wait.unwrap_or_default() })
    }
}

fn seconds(text: &str) -> Result<Duration, SyncRequestError> {
    let plain = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let seconds: u64 = text.parse().map_err(|_| SyncRequestError)?;
    if plain && seconds <= SYNC_WAIT_CEILING {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(SyncRequestError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_query_is_strict() {
        let sync_request = |cursor: Option<&str>, wait| {
            Ok(SyncRequest { cursor: cursor.map(str::to_owned), wait: Duration::from_secs(wait) })
        };
        assert_eq!(SyncRequest::parse(""), sync_request(None, 0));
        assert_eq!(SyncRequest::parse("wait=30"), sync_request(None, 30));
        assert_eq!(SyncRequest::parse("cursor=a-1.ff"), sync_request(Some("a-1.ff"), 0));
        assert_eq!(SyncRequest::parse("wait=0&cursor=a"), sync_request(Some("a"), 0));
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
            assert_eq!(SyncRequest::parse(bad), Err(SyncRequestError), "{bad}");
        }
        assert_eq!(
            SyncRequest::parse(&format!("cursor={}", "a".repeat(65))),
            Err(SyncRequestError)
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(query in "\\PC{0,80}") {
            let _ = SyncRequest::parse(&query);
        }

        #[test]
        fn what_is_taken_is_in_bounds(query in "(cursor|wait)=[0-9a-z.-]{0,70}(&(cursor|wait)=[0-9a-z]{0,3})?") {
            if let Ok(sync_request) = SyncRequest::parse(&query) {
                prop_assert!(sync_request.wait.as_secs() <= SYNC_WAIT_CEILING);
                prop_assert!(sync_request.cursor.is_none_or(|cursor| is_cursor(&cursor)));
            }
        }
    }
}
