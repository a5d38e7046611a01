//! Counts requests over all VMs in shared data; a timer shows the sum as a gauge.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MetricType, Status};
use std::time::Duration;

const KEY: &str = "requests";
const DEFAULT_PERIOD: Duration = Duration::from_secs(1);

/// The count, as the root context has it.
pub struct Counter {
    period: Duration,
    requests: Option<u32>,
    total: Option<u32>,
}

/// One request, counted by the metric with this id.
pub struct Counted {
    requests: Option<u32>,
}

// === impl Counter ===

impl Counter {
    /// The setting is the timer's period in milliseconds.
    pub fn read(setting: Option<&str>) -> Option<Self> {
        let period = match setting {
            Some(text) => Duration::from_millis(text.parse().ok()?),
            None => DEFAULT_PERIOD,
        };
        Some(Self { period, requests: None, total: None })
    }

    pub fn start(&mut self) {
        self.requests = hostcalls::define_metric(MetricType::Counter, "guest.requests").ok();
        self.total = hostcalls::define_metric(MetricType::Gauge, "guest.total").ok();
        // An absent key takes any write. The canary comes before every worker, so nobody else
        // writes this first one.
        if matches!(hostcalls::get_shared_data(KEY), Ok((None, _))) {
            let zero = 0_u64.to_le_bytes();
            let written = hostcalls::set_shared_data(KEY, Some(&zero), None);
            log::debug!("from zero: {written:?}");
        }
        let set = hostcalls::set_tick_period(self.period);
        log::debug!("every {:?}: {set:?}", self.period);
    }

    pub fn tick(&self) {
        let Ok((value, _)) = hostcalls::get_shared_data(KEY) else { return };
        let total = number(value.as_deref());
        log::info!("{total} requests so far");
        if let Some(gauge) = self.total {
            let recorded = hostcalls::record_metric(gauge, total);
            log::debug!("recorded: {recorded:?}");
        }
    }

    pub fn stream(&self) -> Counted {
        Counted { requests: self.requests }
    }
}

// === impl Counted ===

impl Counted {
    /// Adds one, again and again until no other VM came between reading and writing.
    fn count(&self) -> Result<u64, Status> {
        loop {
            let (value, cas) = self.get_shared_data(KEY);
            let count = number(value.as_deref()) + 1;
            match self.set_shared_data(KEY, Some(&count.to_le_bytes()), cas) {
                Ok(()) => return Ok(count),
                Err(Status::CasMismatch) => log::debug!("somebody was faster"),
                Err(status) => return Err(status),
            }
        }
    }
}

impl Context for Counted {}

impl HttpContext for Counted {
    fn on_http_request_headers(&mut self, _num_headers: usize, _end_of_stream: bool) -> Action {
        match self.count() {
            Ok(count) => self.set_http_request_header("x-count", Some(&count.to_string())),
            Err(status) => log::error!("not counted: {status:?}"),
        }
        if let Some(metric) = self.requests {
            let counted = hostcalls::increment_metric(metric, 1);
            log::debug!("counted: {counted:?}");
        }
        Action::Continue
    }
}

fn number(bytes: Option<&[u8]>) -> u64 {
    bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}
