//! The cases: what every ledger does.

mod bulk_orders;
mod envelopes;
mod leases;
mod locks;
pub mod models;
mod notices;
mod reservations;
mod revocations;
mod together;

use crate::store::Home;
use futures_util::future::BoxFuture;
use std::sync::Arc;

pub type Case = fn(Arc<dyn Home>) -> BoxFuture<'static, ()>;

/// Names and functions; a case that is not listed here is dead code, and does not compile.
macro_rules! cases {
    ($($concept:ident: [$($case:ident),* $(,)?],)*) => {
        pub const CASES: &[(&str, Case)] = &[
            $($((concat!(stringify!($concept), "_", stringify!($case)),
                |home| Box::pin($concept::$case(home))),)*)*
        ];
    };
}

cases! {
    bulk_orders: [an_order_that_nobody_works_on_is_taken_up_once],
    envelopes: [
        versions_are_never_given_twice,
        the_later_version_stays,
        the_row_comes_with_the_standing,
        they_are_listed_in_order,
        deleting_is_of_one_and_wiping_of_all,
        a_key_goes_only_when_it_seals_nothing,
        rewrapping_is_of_the_row_that_was_read,
    ],
    leases: [
        a_lease_is_found_by_each_of_its_fields,
        a_session_is_seen_until_it_sleeps,
        what_ended_is_forgotten,
        much_is_forgotten_in_parts,
        of_what_was_replaced_deleted_or_wiped_no_lease_is_written,
        of_what_was_revoked_meanwhile_and_restored_no_lease_is_written,
        a_lease_and_its_release_are_one,
        of_what_is_revoked_no_lease_is_written,
    ],
    models: [a_reservation_is_its_model, readers_end_where_a_snapshot_is],
    together: [
        of_fifty_that_open_one_holds,
        of_fifty_that_take_over_one_holds,
        of_fifty_attempts_three_are_counted,
        of_fifty_that_lock_one_owns,
        no_reader_passes_a_change_by,
        replicas_that_start_together_find_the_same,
        whoever_wipes_finds_every_lease_that_was_written,
        of_a_value_no_lease_is_written_after_whoever_replaced_it_has_returned,
        whoever_revokes_finds_every_lease_that_was_written,
    ],
    locks: [one_owner_at_a_time],
    notices: [a_due_notice_is_taken_once],
    reservations: [
        an_operation_is_opened_once,
        attempts_are_counted_and_end,
        a_dead_holder_loses_it_and_refunds_nothing,
        released_is_for_good_and_settled_once,
        a_lease_of_a_session_is_settled_once_too,
        an_outcome_stands_beside_its_lease,
    ],
    revocations: [
        each_kind_stands_against_its_own,
        the_later_end_counts,
        the_kill_switch_stays,
        a_reader_follows,
        a_cursor_that_is_not_known_gets_everything,
        forgetting_leaves_no_reader_behind,
        waiting_ends_with_a_change,
        waiting_ends_with_the_time,
    ],
}
