use crate::sample::{NOW, notice};
use crate::store::Home;
use std::sync::Arc;

pub async fn a_due_notice_is_taken_once(home: Arc<dyn Home>) {
    let (one, other) = (home.open().await, home.open().await);
    for (id, next_try) in [("a", NOW), ("b", NOW - 1), ("c", NOW + 1)] {
        one.post(&notice(id, next_try)).await.unwrap();
    }
    one.post(&notice("a", NOW)).await.unwrap();
    let taken = one.take_due(NOW, NOW + 30, 1).await.unwrap();
    assert_eq!(taken, [notice("b", NOW + 30)], "the one that waits longest");
    let taken = other.take_due(NOW, NOW + 30, 10).await.unwrap();
    assert_eq!(taken, [notice("a", NOW + 30)]);
    assert!(one.take_due(NOW, NOW + 30, 10).await.unwrap().is_empty());
    assert_eq!(one.waiting().await.unwrap(), 3);
    one.delivered("a").await.unwrap();
    assert_eq!(other.waiting().await.unwrap(), 2);
    one.put_off("b", NOW + 60).await.unwrap();
    let taken = other.take_due(NOW + 59, NOW + 90, 10).await.unwrap();
    assert_eq!(taken, [notice("c", NOW + 90)]);
    let taken = other.take_due(NOW + 60, NOW + 95, 10).await.unwrap();
    let mut expected = notice("b", NOW + 95);
    expected.tries = 1;
    assert_eq!(taken, [expected]);
}
