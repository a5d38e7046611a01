//! What was set out for, and whether it is met.

use session::Algorithm;

use super::group::{
    COLD_LEASED, COLD_VERIFIED, DESTINATIONS, FORGED_SAME, Part, SESSIONS, cold, counted,
};
use super::measured::Table;
use super::variant::Variant;

/// A number that is to be small enough.
pub struct Goal {
    pub name: String,
    pub at_most: f64,
    pub measured: f64,
    unit: Unit,
}

enum Unit {
    Times,
    Percent,
    Microseconds,
}

/// How far two medians may lie apart and still be called the same.
const FLAT: f64 = 5.0;

// === impl Goal ===

impl Goal {
    pub fn is_met(&self) -> bool {
        self.measured <= self.at_most
    }

    pub fn shown(&self, number: f64) -> String {
        match self.unit {
            Unit::Times => format!("{number:.2} times"),
            Unit::Percent => format!("{number:+.1}%"),
            Unit::Microseconds => format!("{number:.1} us"),
        }
    }
}

/// Those whose rows were measured.
pub fn goals(table: &Table) -> Vec<Goal> {
    let plain = Variant::NoFilter.name();
    let ours = Variant::Leasehold.name();
    let added = |name| table.added(Part::Clear, name, plain);
    let times =
        |name: &str, at_most, measured: Option<f64>| Goal::of(name, at_most, measured, Unit::Times);
    let mut goals = vec![
        times(
            "warm, what it adds, over what jwt_authn (cached) + credential_injector add",
            2.0,
            quotient(added(ours), added(Variant::CachedJwt.name())),
        ),
        times(
            "warm, what it adds, over what ext_authz adds",
            0.25,
            quotient(added(ours), added(Variant::ExtAuthz.name())),
        ),
        flat(table, Part::Destinations, DESTINATIONS, "destinations"),
        flat(table, Part::Sessions, SESSIONS, "sessions"),
        Goal::of(
            "through a tunnel, over the same Envoy with a static header",
            8.0,
            table.ratio(Part::Tunnel, ours, Variant::StaticHeader.name()).map(percent),
            Unit::Percent,
        ),
        Goal::of(
            "a forged token after the first, over Envoy refusing by itself",
            15.0,
            table.added(Part::Forged, FORGED_SAME, Variant::Refusal.name()),
            Unit::Microseconds,
        ),
    ];
    for algorithm in Algorithm::ALL {
        let added = |name: &str| {
            let (name, plain) = (cold(name, algorithm), cold(plain, algorithm));
            table.added(Part::Cold, &name, &plain)
        };
        let theirs = added(Variant::UncachedJwt.name());
        for (what, name) in [("verified", COLD_VERIFIED), ("verified and leased", COLD_LEASED)] {
            goals.push(times(
                &format!("cold, {algorithm}, {what}, over what jwt_authn (uncached) + credential_injector add"),
                1.5,
                quotient(added(name), theirs),
            ));
        }
    }
    goals.into_iter().flatten().collect()
}

impl Goal {
    fn of(name: &str, at_most: f64, measured: Option<f64>, unit: Unit) -> Option<Self> {
        Some(Self { name: name.to_owned(), at_most, measured: measured?, unit })
    }
}

fn flat(table: &Table, part: Part, [few, _, many]: [usize; 3], of_what: &str) -> Option<Goal> {
    let ours = Variant::Leasehold.name();
    let [few_row, many_row] = [few, many].map(|number| counted(ours, number, of_what));
    let ratio = table.ratio(part, &many_row, &few_row)?;
    Goal::of(&format!("{many} {of_what} over {few}"), FLAT, Some(percent(ratio)), Unit::Percent)
}

fn quotient(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

fn percent(ratio: f64) -> f64 {
    (ratio - 1.0) * 100.0
}
