use super::*;
use crate::api::body::parse;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(value: &Value) -> Result<Credential, Refusal> {
    parse::<Sent>(value.to_string().as_bytes())?.credential()
}

fn every_type() -> [Value; 7] {
    [
        json!({"type": "bearer", "token": "s\u{e9}c\"ret"}),
        json!({"type": "basic", "user": "u", "password": "p"}),
        json!({"type": "api_key", "header": "x-api-key", "key": "k"}),
        json!({"type": "header_set", "headers": [{"name": "x-a", "value": "1"}, {"name": "x-b", "value": "2"}]}),
        json!({"type": "ssh_certificate", "certificate": "ssh-ed25519-cert-v01@openssh.com AAAA", "private_key": "-----BEGIN\nX\n"}),
        json!({"type": "kerberos_ticket", "principal": "ci@EXAMPLE", "ccache": "BQQA/w=="}),
        json!({"type": "opaque", "bytes": "AAEC"}),
    ]
}

#[test]
fn every_type_there_and_back() {
    for sent in every_type() {
        let credential = read(&sent).unwrap_or_else(|fault| panic!("{sent}: {fault:?}"));
        let shown = show(&credential, |shown, out| serde_json::to_writer(out, &shown)).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), sent);
    }
}

#[test]
fn a_field_too_few_or_too_many() {
    for sent in every_type() {
        let fields: Vec<_> = sent.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            let mut less = sent.clone();
            less.as_object_mut().unwrap().remove(&field);
            assert!(read(&less).is_err(), "{less}");
        }
        let mut more = sent.clone();
        let stray = if sent["type"] == "basic" { "token" } else { "password" };
        more[stray] = "x".into();
        assert!(read(&more).is_err(), "{more}");
        more = sent.clone();
        more["colour"] = "x".into();
        assert!(read(&more).is_err(), "{more}");
    }
}

#[test]
fn what_could_never_be_used_is_refused_without_being_repeated() {
    for sent in [
        json!({"type": "bearer", "token": ""}),
        json!({"type": "bearer", "token": "canary\ninjected: x"}),
        json!({"type": "basic", "user": "a:b", "password": "canary"}),
        json!({"type": "api_key", "header": "host", "key": "canary"}),
        json!({"type": "header_set", "headers": []}),
        json!({"type": "header_set", "headers": [{"name": "x-a", "value": "canary"}, {"name": "X-A", "value": "2"}]}),
        json!({"type": "opaque", "bytes": "canary!"}),
        json!({"type": "opaque", "bytes": ""}),
        json!({"type": "planet", "bytes": "canary"}),
        json!({"type": "bearer", "token": ["canary"]}),
    ] {
        let refusal = read(&sent).err().unwrap_or_else(|| panic!("{sent}"));
        assert_eq!(refusal.code, "bad_request");
        assert!(!refusal.detail.contains("canary"), "{}", refusal.detail);
    }
}

proptest! {
    #[test]
    fn any_text_reads_or_is_refused(text in ".{0,200}") {
        let _ = parse::<Sent>(text.as_bytes()).map(Sent::credential);
    }

    #[test]
    fn any_token_comes_back_as_it_was(token in "[ -~]{1,200}") {
        let sent = json!({"type": "bearer", "token": token});
        let shown = show(&read(&sent).unwrap(), |shown, out| serde_json::to_writer(out, &shown)).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&shown).unwrap(), sent);
    }
}
