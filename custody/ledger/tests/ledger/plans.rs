//! Every statement that the cases run is explained on a filled ledger, and none reads a large table from
//! its beginning: one that nobody has an index for fails here.

use crate::sample::{NOW, lease};
use crate::store::{OnServer, Sqlite, Store};
use custody_ledger::{LeaseFilter, LeasePlace, Ledger, NewLease, Target};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::sync::Mutex;

static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The tables that grow with the leases that are given.
const LARGE: [&str; 4] = ["lease", "session", "held_lock", "reservation"];

/// Rows of each: so many that no planner prefers to read them all.
const ROWS: u32 = 50_000;

pub fn observe(statement: &str) {
    STATEMENTS.lock().unwrap().insert(statement.to_owned());
}

/// What the ledger said that has a plan and is about a large table.
fn statements() -> Vec<String> {
    let words = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let all = STATEMENTS.lock().unwrap().clone();
    let about = |text: &String| LARGE.iter().any(|table| text.contains(table));
    let planned = |text: &String| words.iter().any(|word| text.trim_start().starts_with(word));
    let found: Vec<_> = all.into_iter().filter(planned).filter(about).collect();
    assert!(found.len() > 20, "only {} statements were observed", found.len());
    found
}

/// The rest of the statement is in a dialect that both stores speak. `n` counts the rows.
fn fill(series: &str, blob: &str) -> String {
    format!(
        "INSERT INTO lease (lease_id, session, subject, actor, handle, destination, binding, issued_at,
            expires_at, backend)
         SELECT 'l' || n, 's' || (n / 4), 'x', 'a' || (n % 20), 'h' || (n % 20), 'd', 'session',
            {NOW} + n, {NOW} + n + 600, 'bao' FROM {series};
         INSERT INTO session (id, last_seen) SELECT 's' || n, {NOW} + n FROM {series};
         INSERT INTO held_lock (name, owner, held_until) SELECT 'k' || n, 'o', {NOW} + n FROM {series};
         INSERT INTO reservation (key, lease_id, session, handle, destination, purpose, budget, state,
            holder, held_until, keep_until)
         SELECT {blob}, 'l' || n, 's' || n, 'h' || (n % 20), 'd', 'p', 3, 'settled', 'o', {NOW} + n,
            {NOW} + n FROM {series};"
    )
}

/// Lists with each of the filters that an operator has.
async fn list(ledger: &dyn Ledger) {
    let row = lease("l1", "s1", NOW);
    for choice in 0..32 {
        let given = |bit: u32| choice >> bit & 1 == 1;
        let filter = LeaseFilter {
            session: given(0).then(|| row.session.clone()),
            lease_id: given(1).then(|| row.lease_id.clone()),
            handle: given(2).then(|| row.handle.clone()),
            actor: given(3).then(|| row.actor.clone()),
            live_at: given(4).then_some(NOW),
            limit: 10,
        };
        ledger.leases(&filter).await.unwrap();
    }
    let (session, lease) = (Target::Session(row.session), Target::Lease(row.lease_id));
    for target in [session, lease, Target::Handle(row.handle), Target::Actor(row.actor)] {
        let after = LeasePlace::live_at(NOW);
        ledger.leases_after(&target, after).await.unwrap();
        ledger.revoke_leases_after(&target, after, NOW, (NOW, "op")).await.unwrap();
    }
}

pub async fn none_scans_on_sqlite(store: &Sqlite) {
    let home = store.make("filled").await;
    list(&*home.open().await).await;
    let series = format!(
        "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {ROWS})
          SELECT n FROM s)"
    );
    let connection = Connection::open(store.path("filled")).unwrap();
    connection.execute_batch(&fill(&series, "CAST(printf('%032d', n) AS BLOB)")).unwrap();
    connection.execute_batch("UPDATE session SET check_after = last_seen; ANALYZE").unwrap();
    let scans = LARGE.map(|table| format!("SCAN {table}"));
    let mut faults = Vec::new();
    for text in statements() {
        let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
        let steps = explained.raw_query().mapped(|row| row.get::<_, String>(3));
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        let is_scan = |step: &String| {
            scans.iter().any(|scan| step == scan || step.starts_with(&format!("{scan} ")))
        };
        if steps.iter().any(is_scan) {
            faults.push((text, steps));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

pub async fn none_scans_on_postgres(store: &OnServer) {
    let home = store.make("filled").await;
    let ledger = home.open().await;
    list(&*ledger).await;
    let sql = |statements: &str| {
        tokio::task::block_in_place(|| store.server().sql("filled", statements).unwrap())
    };
    let series = format!("generate_series(1, {ROWS}) AS s (n)");
    sql(&fill(&series, "convert_to(lpad(n::text, 32, '0'), 'UTF8')"));
    // As the planner sees a statement whose values it does not know.
    let mut script = String::from("ANALYZE; SET plan_cache_mode = force_generic_plan;\n");
    let statements = statements();
    for (number, text) in statements.iter().enumerate() {
        let values = (1..20).take_while(|value| text.contains(&format!("${value}"))).count();
        let values = vec!["NULL"; values].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        script += &format!("PREPARE s{number} AS {text};\n");
        script += &format!("SELECT 'statement {number}';\n");
        script += &format!("EXPLAIN (COSTS off) EXECUTE s{number}{values};\n");
    }
    let mut faults = Vec::new();
    for plan in sql(&script).split("statement ").skip(1) {
        let (number, plan) = plan.split_once('\n').unwrap();
        if scans(plan) {
            faults.push((&statements[number.parse::<usize>().unwrap()], plan.to_owned()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    // The statements within the function that records a lease are planned where it runs.
    sql("ALTER DATABASE filled SET session_preload_libraries = 'auto_explain';
         ALTER DATABASE filled SET auto_explain.log_min_duration = 0;
         ALTER DATABASE filled SET auto_explain.log_nested_statements = on");
    home.open().await.record(&NewLease::of(&lease("new", "s1", NOW))).await.unwrap();
    let log = std::fs::read_to_string(store.server().log()).unwrap();
    let (_, plans) = log.split_once("plan:").unwrap();
    assert!(plans.contains("INSERT INTO lease"), "{plans}");
    assert!(!scans(plans), "{plans}");
}

/// Does a plan read a large table, or the whole of an index of one?
fn scans(plan: &str) -> bool {
    let is_of = |line: &str, scan: &str| {
        let line = format!("{line} ");
        line.contains(scan) && LARGE.iter().any(|table| line.contains(&format!(" on {table} ")))
    };
    let lines: Vec<_> = plan.lines().map(str::trim_end).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let below = lines[at + 1..].iter().take_while(|line| !line.contains("->"));
        let is_bounded = || below.clone().any(|line| line.contains("Index Cond:"));
        is_of(line, "Seq Scan") || is_of(line, "Index") && is_of(line, "Scan") && !is_bounded()
    })
}

#[test]
fn a_plan_that_scans_is_known() {
    let bounded = "Limit\n  ->  Index Scan Backward using lease_by_end on lease\n        \
                   Index Cond: (expires_at > $2)";
    assert!(!scans(bounded));
    for scan in [
        "Seq Scan on lease\n  Filter: (handle = $1)",
        "Limit\n  ->  Index Scan Backward using lease_pkey on lease\n        Filter: (handle = $3)",
        "Delete on session\n  ->  Seq Scan on session",
    ] {
        assert!(scans(scan), "{scan}");
    }
    assert!(!scans("Seq Scan on lease_other"));
}
