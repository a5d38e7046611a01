//! A host has one spelling, and no name is an address to a resolver.

use std::net::Ipv4Addr;

use lease::Host;

pub fn check(bytes: &[u8]) {
    let Ok(host) = Host::parse(bytes) else { return };
    let text = host.to_string();
    assert_eq!(Host::parse(text.as_bytes()).as_ref(), Ok(&host), "{text}");
    assert_eq!(host.text(), text);
    let upper = text.to_ascii_uppercase();
    assert_eq!(Host::parse(upper.as_bytes()), Ok(host.clone()), "{upper}");
    let Host::Name(name) = &host else { return };
    assert_eq!(Host::parse(format!("{name}.").as_bytes()), Ok(host.clone()), "{name}.");
    assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())));
    assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic()));
    assert_eq!(address(name), None, "a resolver reads {name} as an address");
}

/// What the C library's `inet_aton` reads: one to four numbers, decimal, octal or hexadecimal.
fn address(name: &str) -> Option<Ipv4Addr> {
    let numbers: Option<Vec<u64>> = name.split('.').map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let (last, before) = numbers.split_last()?;
    let room = 1_u64 << (8 * (4 - before.len()));
    if *last >= room || before.iter().any(|part| *part > 255) {
        return None;
    }
    let high = before.iter().enumerate().map(|(at, part)| part << (24 - 8 * at)).sum::<u64>();
    u32::try_from(high + last).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u64> {
    match (text.strip_prefix("0x"), text.strip_prefix('0')) {
        (Some(""), _) => Some(0),
        (Some(hex), _) => u64::from_str_radix(hex, 16).ok(),
        (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => text.parse().ok(),
    }
}
