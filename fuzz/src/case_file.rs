//! A case file that is read has steps; one that is refused is told in one line.

use host_sim::cases::{CaseFile, request_text};

pub fn check(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match CaseFile::parse(text) {
        Ok(file) => {
            for case in &file.cases {
                assert!(!case.name.is_empty() && !case.steps().is_empty());
                case.steps().iter().for_each(|step| {
                    let _ = (step.wait(), step.streams());
                });
            }
            assert_eq!(CaseFile::parse(text).map(|again| again.cases.len()), Ok(file.cases.len()));
        }
        Err(error) => assert!(!error.is_empty(), "{text:?}"),
    }
    check_request(text);
}

fn check_request(text: &str) {
    let Ok(message) = request_text::parse(text) else { return };
    let value = |name: &str| message.headers.text(name);
    for name in [":method", ":scheme", ":path"] {
        assert!(value(name).is_some(), "{name} in {text:?}");
    }
    let more = request_text::parse(&request_text::with_header(text, "x-fuzz", "1")).unwrap();
    assert_eq!(more.headers.text("x-fuzz").as_deref(), Some("1"), "{text:?}");
    assert_eq!(more.body, message.body, "{text:?}");
}
