//! The dashboard and the alerts: every metric and every label in them is one that a running edge and a
//! running custody show, and every expression is one that Prometheus takes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use stack::built::Built;
use stack::promtool::Promtool;
use tests::manifests;
use tests::scene::{API, Scene};

use crate::wide::run;

const DASHBOARD: &str = "deploy/grafana/leasehold.json";
const ALERTS: &str = "deploy/prometheus/alerts.yaml";

/// Metrics by name, with the labels that each has.
type Shown = BTreeMap<String, BTreeSet<(String, String)>>;

fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(Built::root().join(DASHBOARD)).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

fn alerts() -> Vec<String> {
    let rules = manifests::read(ALERTS);
    let rules = rules[0]["groups"][0]["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect()
}

/// The samples of a page in the text format.
fn shown(page: &str, shown: &mut Shown) {
    // A family that has no sample yet has its type told.
    for family in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        shown.entry(family.split(' ').next().unwrap().to_owned()).or_default();
    }
    for line in page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let of_name = shown.entry(name.to_owned()).or_default();
        for label in labels.trim_end_matches('}').split("\",") {
            if let Some((name, value)) = label.split_once("=\"") {
                of_name.insert((name.to_owned(), value.trim_end_matches('"').to_owned()));
            }
        }
    }
}

/// The metrics that an expression names, each with the text behind it.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    for prefix in ["leasehold_", "envoy_"] {
        for (at, _) in expression.match_indices(prefix) {
            let begins = !expression[..at].ends_with(of_name);
            let rest = &expression[at..];
            let end = rest.find(|letter| !of_name(letter)).unwrap_or(rest.len());
            if begins {
                found.push(rest.split_at(end));
            }
        }
    }
    found
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_are_there() {
    let scene = Scene::explicit();
    scene.accepts("a request", || scene.inside(API, scene.get(API, "/v1/a")));
    scene.refuses("a path", (403, "path_not_allowed"), || {
        scene.inside(API, scene.get(API, "/admin"))
    });
    let mut pages = Shown::new();
    shown(&scene.stack.envoy().unwrap().admin().prometheus().unwrap(), &mut pages);
    let custody = format!("http://{}/metrics", scene.stack.custody().health());
    shown(&run(Command::new("curl").args(["--silent", "--fail", &custody])), &mut pages);

    let mut metrics = BTreeSet::new();
    for expression in dashboard().into_iter().chain(alerts()) {
        let named = named(&expression);
        assert!(!named.is_empty(), "{expression} names no metric");
        for (metric, behind) in named {
            metrics.insert(metric.to_owned());
            let labels = pages.get(metric);
            let labels = labels.unwrap_or_else(|| panic!("{metric} is not shown: {expression}"));
            let Some((_, values)) =
                behind.strip_prefix("{reason").and_then(|rest| rest.split_once('"'))
            else {
                continue;
            };
            for value in values.split_once('"').unwrap().0.split('|') {
                let label = ("reason".to_owned(), value.to_owned());
                assert!(labels.contains(&label), "{metric} has no reason {value}");
            }
        }
    }
    assert!(metrics.len() > 10, "{metrics:?}");
}

#[test]
fn prometheus_takes_every_expression() {
    let promtool = Promtool::locate_or_fetch(&|_| {}).unwrap();
    promtool.check_rules(&Built::root().join(ALERTS)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dashboard.yaml");
    // As rules, with what Grafana puts in filled in.
    let rules = |expressions: &[String]| {
        let rule = |(n, expr): (usize, &String)| json!({"record": format!("panel:{n}"), "expr": expr.replace("$__rate_interval", "1m")});
        let rules: Vec<_> = expressions.iter().enumerate().map(rule).collect();
        json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()
    };
    fs::write(&file, rules(&dashboard())).unwrap();
    promtool.check_rules(&file).unwrap();
    fs::write(&file, rules(&["sum(rate(leasehold_denied[5m])".to_owned()])).unwrap();
    assert!(promtool.check_rules(&file).is_err(), "promtool takes anything");
}
