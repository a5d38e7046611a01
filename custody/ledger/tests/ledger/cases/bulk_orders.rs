use crate::sample::{NOW, actor, session};
use crate::store::Home;
use custody_ledger::{BulkOrder, Target};
use futures_util::future::join_all;
use std::sync::Arc;

pub async fn an_order_that_nobody_works_on_is_taken_up_once(home: Arc<dyn Home>) {
    let (ledger, replica) = (home.open().await, home.open().await);
    let each = BulkOrder {
        target: Target::Actor(actor("a")),
        revokes_each: true,
        by: "op".to_owned(),
        action: "revoke".to_owned(),
        ordered_at: NOW,
    };
    let of_target = BulkOrder { revokes_each: false, ..each.clone() };
    let other = BulkOrder { target: session("s"), ..of_target.clone() };
    for order in [&each, &of_target, &other] {
        ledger.keep_order(order, NOW + 10).await.unwrap();
    }
    ledger.keep_order(&other, NOW + 13).await.unwrap();
    assert_eq!(replica.take_orders(NOW + 9, NOW + 20).await, Ok(Vec::new()), "they are worked on");
    let taking = [&ledger, &replica].map(|ledger| ledger.take_orders(NOW + 10, NOW + 20));
    let mut taken: Vec<_> = join_all(taking).await.into_iter().flat_map(Result::unwrap).collect();
    taken.sort_by_key(|order| order.revokes_each);
    assert_eq!(taken, [of_target.clone(), each.clone()]);
    // It is ordered again before it is done.
    let again = BulkOrder { ordered_at: NOW + 5, ..each.clone() };
    ledger.keep_order(&again, NOW + 11).await.unwrap();
    ledger.keep_order(&each, NOW + 11).await.unwrap();
    for order in [&each, &of_target, &other] {
        replica.finish_order(order).await.unwrap();
    }
    assert_eq!(ledger.take_orders(NOW + 19, NOW + 30).await, Ok(Vec::new()));
    assert_eq!(ledger.take_orders(NOW + 20, NOW + 30).await, Ok(vec![again.clone()]));
    replica.finish_order(&again).await.unwrap();
    assert_eq!(ledger.take_orders(NOW + 99, NOW + 99).await, Ok(Vec::new()));
}
