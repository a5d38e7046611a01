use super::reason::Reason;
use super::*;
use std::collections::HashSet;

#[test]
fn every_code_is_its_own_and_every_status_denies() {
    let codes: HashSet<_> = Denial::ALL.iter().map(|denial| denial.code()).collect();
    assert_eq!(codes.len(), Denial::ALL.len());
    for denial in Denial::ALL {
        let Reason { code, status, title } = denial.reason();
        assert!(matches!(status, 400..=499 | 502 | 503), "{code}");
        assert!(code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{code}");
        assert!(title.ends_with('.') && title.len() < 80, "{title}");
        assert_eq!(Denial::of_code(code.as_bytes()).map(Denial::code), Some(code));
    }
    assert!(Refusal::CODES.iter().all(|code| codes.contains(code)));
}

#[test]
fn no_refusal_of_custody_is_a_yes() {
    for code in RefusalCode::ALL {
        let told = Denial::of_refusal(code).code();
        assert!(told.starts_with("custody_") || told == "replay_rejected", "{told}");
    }
}
