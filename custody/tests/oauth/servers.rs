//! Servers as they are: they depart from the RFCs, and custody works with them.

use super::common::authority::Trouble;
use super::common::now;
use super::common::stores::{Store, on_both_stores};
use super::{House, ask, ask_for, basic_of, client_credentials, refreshes, restriction, token};
use axum::http::StatusCode;
use custody_backends::oauth::{BasicEncoding, OAuthSource, TokenRequest};
use serde_json::{Value, json};

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_refusal_with_status_200_is_told_and_spends_nothing,
}

#[tokio::test]
async fn more_scopes_than_asked_are_used_unless_a_grant_narrows() {
    let house = House::new(Store::Sqlite).await;
    for scope in [
        json!("read openid profile email"),
        json!("read,gist"),
        json!(["read", "https://www.googleapis.com/auth/drive"]),
    ] {
        house.authority.inner().change = json!({"scope": scope});
        let scopes = vec!["read".to_owned()];
        let source = house.source(TokenRequest { scopes, ..client_credentials() });
        let resolved = ask(&source).await.unwrap_or_else(|fault| panic!("{scope}: {fault}"));
        assert!(resolved.scope.len() > 1 && resolved.scope[0] == "read", "{:?}", resolved.scope);
        // The token that is kept is not for a grant that narrows to the same scopes.
        let fault = ask_for(&source, &restriction(&["read"]), None).await.err().unwrap();
        assert_eq!(fault.code(), "credential_unfit", "{scope}: {fault}");
    }
}

#[tokio::test]
async fn a_token_without_a_life_lives_as_long_as_the_setting_has_it() {
    let mut house = House::new(Store::Sqlite).await;
    for said in [Value::Null, json!(0), json!("0")] {
        house.lifetime = Some(60);
        let resolved = house.answer(json!({"expires_in": said})).await.ok().unwrap();
        assert!((now() + 55..=now() + 60).contains(&resolved.expires_at.unwrap()), "{said}");
    }
    house.lifetime = None;
    let fault = house.answer(json!({"expires_in": 0})).await.err().unwrap();
    assert!(fault.to_string().contains("fix: lifetime in the backend"), "{fault}");
    house.lifetime = Some(60);
    let resolved = house.answer(json!({"expires_in": "30"})).await.ok().unwrap();
    assert!(resolved.expires_at.unwrap() <= now() + 30);
}

#[tokio::test]
async fn a_server_that_does_not_decode_gets_the_client_as_it_is() {
    let house = House::new(Store::Sqlite).await;
    house.authority.inner().is_plain = true;
    for (encoding, is_taken) in [(BasicEncoding::Form, false), (BasicEncoding::Plain, true)] {
        let server = house.replica(basic_of("corp-client", encoding));
        let source = OAuthSource::new(server, client_credentials());
        assert_eq!(ask(&source).await.is_ok(), is_taken, "{encoding:?}");
    }
}

async fn a_refusal_with_status_200_is_told_and_spends_nothing(store: Store) {
    let house = House::new(store).await;
    for (scope, body, told) in [
        (
            "a",
            json!({"error": "bad_refresh_token", "error_description": "canary"}),
            "bad_refresh_token",
        ),
        ("b", json!({"ok": false, "error": "invalid_refresh_token"}), "invalid_refresh_token"),
    ] {
        let answers = Trouble::Answers(StatusCode::OK, body.to_string());
        house.authority.inner().trouble = Some(answers);
        let fault =
            ask_for(&house.source(refreshes()), &restriction(&[scope]), None).await.err().unwrap();
        assert_eq!(fault.code(), "backend_denied", "{fault}");
        let (text, fix) = (fault.to_string(), "custody cred put corp-refresh --type opaque");
        assert!(text.contains(told) && text.contains(fix) && !text.contains("canary"), "{text}");
    }
    let busy = json!({"ok": false, "error": "ratelimited"}).to_string();
    house.authority.inner().trouble = Some(Trouble::Answers(StatusCode::OK, busy));
    let fault =
        ask_for(&house.source(refreshes()), &restriction(&["c"]), None).await.err().unwrap();
    assert_eq!(fault.code(), "backend_down", "{fault}");
    // The server refused, so the refresh token is not in doubt.
    house.authority.inner().trouble = None;
    let resolved = ask(&house.source(refreshes())).await.ok().unwrap();
    assert_eq!(token(&resolved), "access-user-1");
}
