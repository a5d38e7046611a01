//! The ranges of inside addresses are the same in every shipped file, and in both nets of each.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use edge::policy::denial::Denial;
use serde_json::{Value, json};
use stack::built::Built;
use tests::manifests::read;

const ISTIO: &str = "envoy/istio/inside-addresses.yaml";

const FILES: [&str; 3] = ["envoy/explicit.yaml", "envoy/gateway.yaml", "deploy/compose/envoy.yaml"];

/// IPv4 special-purpose addresses (RFC 6890), multicast and reserved ones.
const IPV4: [(Ipv4Addr, u64); 11] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];
/// Teredo, local NAT64, and all but `2000::/3` and `::/9`, which holds the prefixes that carry IPv4 addresses.
const IPV6: [(&str, u64); 10] = [
    ("2001::", 32),
    ("64:ff9b:1::", 48),
    ("80::", 9),
    ("100::", 8),
    ("200::", 7),
    ("400::", 6),
    ("800::", 5),
    ("1000::", 4),
    ("4000::", 2),
    ("8000::", 1),
];

type Ranges = BTreeSet<(IpAddr, u64)>;

/// Each IPv4 range, also as IPv6 addresses carry it: IPv4-mapped, IPv4-compatible, NAT64 and 6to4.
fn expected() -> Ranges {
    let carried = |(address, length): (Ipv4Addr, u64)| {
        let bits = u128::from(u32::from(address));
        let at_end = |prefix: u128| (IpAddr::from(Ipv6Addr::from(prefix | bits)), 96 + length);
        let sixtofour = Ipv6Addr::from(0x2002 << 112 | bits << 80);
        [
            (IpAddr::from(address), length),
            at_end(0xffff << 32),
            at_end(0),
            at_end(0x0064_ff9b << 96),
            (IpAddr::from(sixtofour), 16 + length),
        ]
    };
    let others = IPV6.map(|(address, length)| (address.parse().unwrap(), length));
    IPV4.into_iter().flat_map(carried).chain(others).collect()
}

fn range(value: &Value) -> (IpAddr, u64) {
    let address = value["address_prefix"].as_str().unwrap().parse().unwrap();
    (address, value["prefix_len"].as_u64().unwrap())
}

/// What stands under `key`, anywhere in a configuration.
fn all<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key));
            fields.values().for_each(|field| all(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| all(item, key, found)),
        _ => {}
    }
}

fn nets(root: &Value, key: &str) -> Vec<Value> {
    let mut found = Vec::new();
    all(root, key, &mut found);
    found.into_iter().cloned().collect()
}

#[test]
fn every_net_for_inside_addresses_has_the_same_ranges() {
    for file in FILES {
        let text = fs::read_to_string(Built::root().join(file)).unwrap();
        let root: Value = serde_yaml_ng::from_str(&text).unwrap();
        let caches = nets(&root, "dns_cache_config");
        assert_eq!(caches.len(), 3, "{file}: the filter and the two clusters");
        for cache in caches {
            let ranges = cache["resolved_address_filter"]["ranges"].as_array().unwrap();
            assert_eq!(ranges.iter().map(range).collect::<Ranges>(), expected(), "{file}");
        }
        assert_router_net(file, &root);
    }
    // Of both workloads. Istio's clusters have no such cache: each address is an endpoint.
    let manifests = read(ISTIO);
    assert_eq!(manifests.len(), 2);
    for manifest in manifests {
        assert_router_net(ISTIO, &manifest);
    }
}

fn assert_router_net(file: &str, root: &Value) {
    let policies = nets(root, "special_purpose_address");
    assert_eq!(policies.len(), 1, "{file}: the router's");
    let addresses = nets(&policies[0], "upstream_ip");
    assert_eq!(addresses.iter().map(range).collect::<Ranges>(), expected(), "{file}");
}

#[test]
fn denials_that_envoy_makes_have_a_row() {
    let rows = fs::read_to_string(Built::root().join("docs/denials.md")).unwrap();
    let files = FILES.into_iter().chain([ISTIO]);
    for (file, root) in files.flat_map(|file| read(file).into_iter().map(move |root| (file, root)))
    {
        let mappers = nets(&root, "mappers");
        assert!(!mappers.is_empty(), "{file}");
        for mapper in mappers.iter().flat_map(|list| list.as_array().unwrap()) {
            let body = &mapper["body_format_override"]["json_format"];
            let code = body["reason"].as_str().unwrap();
            assert_eq!(mapper["headers_to_add"][0]["header"]["value"], code, "{file}");
            assert_eq!(body["type"], format!("urn:leasehold:denial:{code}"), "{file}");
            assert!(rows.contains(&format!("| `{code}` | 403 |")), "{file}: {code}");
            let message = format!("Leasehold: {}", body["title"].as_str().unwrap());
            assert_eq!(body["message"], message, "{file}");
            assert_eq!(body["errors"], json!([{"code": "DENIED", "message": message}]), "{file}");
            if let Some(denial) = Denial::of_code(code.as_bytes()) {
                let reason = denial.reason();
                assert_eq!(body["title"], reason.title, "{file}");
                assert_eq!(body["status"], reason.status, "{file}");
            }
        }
    }
}
