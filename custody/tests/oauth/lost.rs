//! Refresh tokens that were rotated where custody did not hear of it.

use super::common::authority::Trouble;
use super::common::stores::{Store, on_both_stores};
use super::{House, REFRESH, ask, ask_for, refreshes, restriction};
use axum::http::StatusCode;
use custody_backends::BackendFault;
use serde_json::json;

on_both_stores! {
    #[tokio::test(flavor = "multi_thread")]
    a_rotation_whose_answer_is_lost_on_its_way_is_said_to_be_lost,
    a_refresh_token_that_the_server_did_not_spend_is_spent_again,
    a_refresh_token_that_the_server_refuses_is_not_said_to_be_lost,
    the_next_refresh_token_beside_an_unfit_access_token_is_stored,
}

async fn a_rotation_whose_answer_is_lost_on_its_way_is_said_to_be_lost(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    house.authority.inner().trouble = Some(Trouble::KeepsItsAnswer);
    assert_eq!(ask(&source).await.err().unwrap().code(), "backend_down");
    house.authority.inner().trouble = None;
    // Also by another replica, and each time.
    for source in [house.source(refreshes()), house.source(refreshes())] {
        let fault = ask(&source).await.err().unwrap();
        assert_eq!(fault.code(), "refresh_token_lost", "{fault}");
        let fix = "custody cred put corp-refresh --type opaque --actor default";
        assert!(fault.to_string().contains(fix), "{fault}");
    }
    house.authority.inner().refresh = Some("consent".into());
    house.put("corp-refresh", "consent").await;
    assert!(ask_for(&source, &restriction(&["a"]), None).await.is_ok());
}

async fn a_refresh_token_that_the_server_did_not_spend_is_spent_again(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    for (scope, status) in [("a", 502), ("b", 429), ("c", 400)] {
        let status = StatusCode::from_u16(status).unwrap();
        house.authority.inner().trouble = Some(Trouble::Answers(status, "busy".into()));
        assert!(ask_for(&source, &restriction(&[scope]), None).await.is_err());
    }
    house.authority.inner().trouble = None;
    assert!(ask(&source).await.is_ok());
    assert_eq!(house.authority.inner().reused, 0);
    assert_ne!(house.stored().await, REFRESH);
    // What was in doubt is settled by the answer: with a server that does not rotate, too.
    house.authority.inner().change = json!({"refresh_token": null});
    let current = house.stored().await;
    house.authority.inner().trouble = Some(Trouble::Answers(StatusCode::BAD_GATEWAY, "".into()));
    assert!(ask_for(&source, &restriction(&["d"]), None).await.is_err());
    house.authority.inner().trouble = None;
    assert!(ask_for(&source, &restriction(&["e"]), None).await.is_ok());
    assert_eq!(house.stored().await, current);
    let fault = ask_for(&source, &restriction(&["f"]), None).await.err().unwrap();
    assert_eq!(fault.code(), "backend_denied", "{fault}");
}

async fn a_refresh_token_that_the_server_refuses_is_not_said_to_be_lost(store: Store) {
    let house = House::new(store).await;
    house.authority.inner().refresh = None;
    for source in [house.source(refreshes()), house.source(refreshes())] {
        let fault = ask(&source).await.err().unwrap();
        assert!(matches!(fault, BackendFault::Denied(_)), "{fault}");
        let fix = "custody cred put corp-refresh --type opaque --actor default";
        let text = fault.to_string();
        assert!(text.contains("invalid_grant (status 400)") && text.contains(fix), "{text}");
    }
}

async fn the_next_refresh_token_beside_an_unfit_access_token_is_stored(store: Store) {
    let house = House::new(store).await;
    let source = house.source(refreshes());
    for (scope, change) in [
        ("a", json!({"token_type": "mac"})),
        ("b", json!({"scope": "b and-more"})),
        ("c", json!({"expires_in": 0})),
    ] {
        house.authority.inner().change = change;
        let fault = ask_for(&source, &restriction(&[scope]), None).await.err().unwrap();
        assert_eq!(fault.code(), "credential_unfit", "{fault}");
        assert_eq!(Some(house.stored().await), house.authority.inner().refresh.clone());
    }
    house.authority.inner().change = json!({});
    assert!(ask(&source).await.is_ok());
    assert_eq!(house.authority.inner().reused, 0);
}
