use crate::sample::NOW;
use crate::store::Home;
use std::sync::Arc;

pub async fn one_owner_at_a_time(home: Arc<dyn Home>) {
    let (one, other) = (home.open().await, home.open().await);
    assert!(one.lock("refresh", "a", NOW, NOW + 10).await.unwrap());
    assert!(!other.lock("refresh", "b", NOW, NOW + 10).await.unwrap());
    assert!(other.lock("else", "b", NOW, NOW + 10).await.unwrap(), "another lock");
    let held_by = async |now| other.holder("refresh", now).await.unwrap();
    assert_eq!(held_by(NOW + 9).await.as_deref(), Some("a"));
    assert_eq!(held_by(NOW + 10).await, None, "it ran out");
    assert_eq!(other.holder("nothing", NOW).await.unwrap(), None);
    assert!(one.lock("refresh", "a", NOW + 5, NOW + 15).await.unwrap(), "its own, for longer");
    other.unlock("refresh", "b").await.unwrap();
    assert!(!other.lock("refresh", "b", NOW + 14, NOW + 20).await.unwrap(), "not b's to give back");
    assert!(other.lock("refresh", "b", NOW + 15, NOW + 20).await.unwrap(), "it ran out");
    assert!(!one.lock("refresh", "a", NOW + 15, NOW + 20).await.unwrap());
    other.unlock("refresh", "b").await.unwrap();
    assert!(one.lock("refresh", "a", NOW + 15, NOW + 20).await.unwrap());
}
