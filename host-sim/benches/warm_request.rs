//! How many warm requests a second the simulator manages on one core, with the Leasehold filter.
//!
//! `cargo bench -p host-sim` (build the filter first).

use host_sim::cases::{CaseFile, SessionSpec, Template};
use host_sim::{Answer, Cluster, Host, Instant, Module, Plugin, Recording, Request};
use std::path::Path;
use std::time::Instant as WallClock;

const REQUESTS: u32 = 50_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let module = Module::open(&root.join("target/wasm32-wasip1/wasm/leasehold_filter.wasm"))?;
    let now = Instant::default().unix_seconds();
    let config = CaseFile::open(&root.join("tests/cases/custody.yaml"))?.config.unwrap_or_default();
    let config = Template::new(now, String::new()).value(&config)?;
    let lease = serde_json::json!({
        "lease_id": "l", "expires_at": now + 300, "renew_after": now + 240, "binding": "session",
        "headers": [{"name": "authorization", "value": "Bearer LEASE"}],
    });
    let mut host = Host::builder()
        .plugin(Plugin::new(&module).configuration(config.to_string()))
        .cluster("custody", Cluster::answering([Answer::json(200, lease.to_string())]))
        .recording(Recording::Counts)
        .start()?;
    let token = SessionSpec::default().mint(now, "session-1");
    let request =
        Request::get("models.demo.test", "/v1/models").header("x-leasehold-session", token);
    host.exchange(request.clone()).assert_forwarded();
    let start = WallClock::now();
    for _ in 0..REQUESTS {
        let stream = host.send(request.clone());
        host.settle();
        host.forget(stream);
    }
    let rate = f64::from(REQUESTS) / start.elapsed().as_secs_f64();
    host.exchange(request)
        .assert_forwarded()
        .assert_upstream_header("authorization", "Bearer LEASE");
    println!("{rate:.0} warm requests a second");
    Ok(())
}
