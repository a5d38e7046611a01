//! Orders that are worked on together, because together they cost little more than one.

use tokio::sync::mpsc::Receiver;

/// Waits for orders and takes those that are there, at most `most`; `false`: no more will come.
///
/// A caller that is about to send an order comes first. On a busy machine that is many, who would else wait
/// for a sync of the disk and then for their own; on an idle one it is nobody, and takes no time.
pub fn recv_many<T>(orders: &mut Receiver<T>, batch: &mut Vec<T>, most: usize) -> bool {
    if orders.blocking_recv_many(batch, most) == 0 {
        return false;
    }
    std::thread::yield_now();
    while batch.len() < most
        && let Ok(order) = orders.try_recv()
    {
        batch.push(order);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    #[test]
    fn what_waits_comes_in_order_and_in_bounds_until_nobody_is_left() {
        let (sender, mut orders) = mpsc::channel(16);
        (0..5).for_each(|number| sender.try_send(number).unwrap());
        drop(sender);
        let mut batch = Vec::new();
        assert!(recv_many(&mut orders, &mut batch, 3));
        assert_eq!(batch, [0, 1, 2]);
        batch.clear();
        assert!(recv_many(&mut orders, &mut batch, 3));
        assert_eq!(batch, [3, 4]);
        batch.clear();
        assert!(!recv_many(&mut orders, &mut batch, 3));
    }
}
