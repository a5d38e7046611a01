//! Counters in the Prometheus text format (version 0.0.4).

use custody_audit::writer::Counts;
use lease::{RefusalCode, UnixSeconds};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Everything that is counted. Labels are codes of ours, never a value of a request.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    allowed: u64,
    denied: BTreeMap<&'static str, u64>,
    session_refused: BTreeMap<&'static str, u64>,
    backend_failed: BTreeMap<&'static str, u64>,
    capability_refused: BTreeMap<&'static str, u64>,
    handshakes_failed: u64,
    /// By issuer.
    session_keys: BTreeMap<String, FetchedKeys>,
    notices: Notices,
    latency: Histogram,
}

/// Of a remote key set.
#[derive(Debug, Default)]
struct FetchedKeys {
    fetched: u64,
    failed: u64,
    count: usize,
    /// Of the last fetch that succeeded.
    at: UnixSeconds,
}

/// Of failures, for the webhook.
#[derive(Debug, Default)]
struct Notices {
    delivered: u64,
    failed: u64,
    lost: u64,
    /// `None` until the ledger was asked.
    pending: Option<u64>,
}

#[derive(Debug, Default)]
struct Histogram {
    /// One a bound; each counts the observations at or below it.
    buckets: [u64; BOUNDS.len()],
    sum: Duration,
    count: u64,
}

/// Seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

// === impl Metrics ===

impl Metrics {
    /// One answer to `POST /v1/leases`, and how long it took.
    pub fn answered(&self, refusal: Option<RefusalCode>, took: Duration) {
        let mut numbers = self.numbers();
        match refusal {
            None => numbers.allowed += 1,
            Some(code) => *numbers.denied.entry(code.code()).or_default() += 1,
        }
        numbers.latency.observe(took);
    }

    /// One Session JWT that did not verify, by the code of [`session::Refusal`].
    pub fn session_refused(&self, code: &'static str) {
        *self.numbers().session_refused.entry(code).or_default() += 1;
    }

    /// One credential that was granted and not there.
    pub fn backend_failed(&self, code: &'static str) {
        *self.numbers().backend_failed.entry(code).or_default() += 1;
    }

    /// One capability token that was refused, by its code.
    pub fn capability_refused(&self, code: &'static str) {
        *self.numbers().capability_refused.entry(code).or_default() += 1;
    }

    /// One connection to the edge listener without a TLS session we accept.
    pub fn handshake_failed(&self) {
        self.numbers().handshakes_failed += 1;
    }

    /// The session keys of this issuer were fetched: so many verify, as of now.
    pub fn session_keys_fetched(&self, issuer: &str, count: usize, now: UnixSeconds) {
        let mut numbers = self.numbers();
        let keys = numbers.session_keys.entry(issuer.to_owned()).or_default();
        (keys.count, keys.at) = (count, now);
        keys.fetched += 1;
    }

    pub fn session_keys_failed(&self, issuer: &str) {
        self.numbers().session_keys.entry(issuer.to_owned()).or_default().failed += 1;
    }

    /// A receiver took a notice.
    pub fn notice_delivered(&self) {
        self.numbers().notices.delivered += 1;
    }

    /// One try at it failed.
    pub fn notice_failed(&self) {
        self.numbers().notices.failed += 1;
    }

    /// The ledger did not take it.
    pub fn notice_lost(&self) {
        self.numbers().notices.lost += 1;
    }

    /// So many are in the ledger now.
    pub fn notices_pending(&self, count: u64) {
        self.numbers().notices.pending = Some(count);
    }

    /// The whole page.
    pub fn page(&self, audit: &Counts) -> String {
        let mut page = Page::default();
        let numbers = self.numbers();
        page.family("leases_total", "counter", "Answers to lease requests, by decision and code.");
        page.line("leases_total", "decision=\"allowed\",code=\"\"", numbers.allowed);
        for code in RefusalCode::ALL {
            let count = numbers.denied.get(code.code()).copied().unwrap_or_default();
            page.line(
                "leases_total",
                &format!("decision=\"denied\",code=\"{}\"", code.code()),
                count,
            );
        }
        page.family("sessions_refused_total", "counter", "Session JWTs that did not verify.");
        page.by_code("sessions_refused_total", &numbers.session_refused);
        page.family(
            "backend_failures_total",
            "counter",
            "Granted credentials that were not there.",
        );
        page.by_code("backend_failures_total", &numbers.backend_failed);
        page.family(
            "capabilities_refused_total",
            "counter",
            "Capability tokens that were refused.",
        );
        page.by_code("capabilities_refused_total", &numbers.capability_refused);
        page.family("handshake_failures_total", "counter", "TLS connections that were refused.");
        page.line("handshake_failures_total", "", numbers.handshakes_failed);
        page.session_keys(&numbers.session_keys);
        page.notices(&numbers.notices);
        for (name, help, count) in [
            ("audit_records_total", "Durable audit records.", &audit.records),
            ("audit_syncs_total", "Syncs of the audit log; requests share them.", &audit.syncs),
            ("audit_failures_total", "Failed writes of the audit log.", &audit.failures),
        ] {
            page.family(name, "counter", help);
            page.line(name, "", count.load(Ordering::Relaxed));
        }
        page.family("lease_seconds", "histogram", "Time to answer a lease request.");
        page.histogram("lease_seconds", &numbers.latency);
        page.0
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Histogram ===

impl Histogram {
    fn observe(&mut self, took: Duration) {
        for (bucket, bound) in self.buckets.iter_mut().zip(BOUNDS) {
            if took.as_secs_f64() <= bound {
                *bucket += 1;
            }
        }
        self.sum += took;
        self.count += 1;
    }
}

/// A page being written. Writing into a string cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP leasehold_custody_{name} {help}");
        let _ = writeln!(self.0, "# TYPE leasehold_custody_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "leasehold_custody_{name}{labels} {value}");
    }

    fn by_code(&mut self, name: &str, counts: &BTreeMap<&'static str, u64>) {
        for (code, count) in counts {
            self.line(name, &format!("code=\"{code}\""), count);
        }
    }

    /// Nothing of issuers whose keys stand in the configuration.
    fn session_keys(&mut self, issuers: &BTreeMap<String, FetchedKeys>) {
        if issuers.is_empty() {
            return;
        }
        let labels = |issuer: &str| format!("issuer=\"{}\"", escaped(issuer));
        let name = "session_key_fetches_total";
        self.family(name, "counter", "Fetches of an issuer's key set.");
        for (issuer, keys) in issuers {
            let labels = labels(issuer);
            self.line(name, &format!("{labels},result=\"ok\""), keys.fetched);
            self.line(name, &format!("{labels},result=\"failed\""), keys.failed);
        }
        self.family("session_keys", "gauge", "Keys of the last good set of an issuer.");
        for (issuer, keys) in issuers {
            self.line("session_keys", &labels(issuer), keys.count);
        }
        let name = "session_keys_fetched_timestamp_seconds";
        self.family(name, "gauge", "When the last good set was fetched; 0 if there is none.");
        for (issuer, keys) in issuers {
            self.line(name, &labels(issuer), keys.at);
        }
    }

    fn notices(&mut self, notices: &Notices) {
        let Notices { delivered, failed, lost, pending } = notices;
        let name = "notice_deliveries_total";
        self.family(name, "counter", "Tries to tell the webhook of a failure.");
        self.line(name, "result=\"ok\"", delivered);
        self.line(name, "result=\"failed\"", failed);
        let name = "notices_lost_total";
        self.family(name, "counter", "Notices that the ledger did not take.");
        self.line(name, "", lost);
        self.family("notices_pending", "gauge", "Notices that nobody has taken yet.");
        // Without a webhook nobody looks.
        if let Some(pending) = pending {
            self.line("notices_pending", "", pending);
        }
    }

    fn histogram(&mut self, name: &str, histogram: &Histogram) {
        for (bucket, bound) in histogram.buckets.iter().zip(BOUNDS) {
            self.line(&format!("{name}_bucket"), &format!("le=\"{bound}\""), bucket);
        }
        self.line(&format!("{name}_bucket"), "le=\"+Inf\"", histogram.count);
        self.line(&format!("{name}_sum"), "", histogram.sum.as_secs_f64());
        self.line(&format!("{name}_count"), "", histogram.count);
    }
}

/// A label's value (Prometheus' text format).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_as_prometheus_reads_it() {
        let metrics = Metrics::default();
        metrics.answered(None, Duration::from_millis(2));
        metrics.answered(Some(RefusalCode::NotGranted), Duration::from_secs(9));
        metrics.session_refused("session_expired");
        let page = metrics.page(&Counts::default());
        for line in [
            "leasehold_custody_leases_total{decision=\"allowed\",code=\"\"} 1",
            "leasehold_custody_leases_total{decision=\"denied\",code=\"not_granted\"} 1",
            "leasehold_custody_leases_total{decision=\"denied\",code=\"unavailable\"} 0",
            "leasehold_custody_sessions_refused_total{code=\"session_expired\"} 1",
            "leasehold_custody_lease_seconds_bucket{le=\"0.001\"} 0",
            "leasehold_custody_lease_seconds_bucket{le=\"0.0025\"} 1",
            "leasehold_custody_lease_seconds_bucket{le=\"5\"} 1",
            "leasehold_custody_lease_seconds_bucket{le=\"+Inf\"} 2",
            "leasehold_custody_lease_seconds_count 2",
        ] {
            assert!(page.lines().any(|own| own == line), "{line}\n{page}");
        }
        // Every sample stands under the type of its family.
        let mut family = "";
        for line in page.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => family = rest.split(' ').next().unwrap(),
                None => assert!(line.starts_with('#') || line.starts_with(family), "{line}"),
            }
        }
    }
}
