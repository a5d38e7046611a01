//! What of an issuer's published key set is for us: for whoever fetches keys, edge and custody.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::algorithm::Algorithm;
use crate::jwks::{KeySet, ReadJwk};
use crate::public_key::PublicKey;
use crate::strict_json;

/// Keys at most; more are no key set of one issuer.
const KEYS: usize = 64;
/// Omissions that are listed one by one; a set of others' keys is no log file.
const LISTED: usize = 16;
/// Characters of a `kid` in the log.
const KID_SHOWN: usize = 64;

/// The keys of a set that verify Session JWTs.
pub struct IssuerKeys {
    keys: KeySet,
    /// As they were sent, to see what changed.
    sent: BTreeMap<(String, Algorithm), Value>,
    left_out: Vec<String>,
}

/// A key set, its members unread: what is wrong with one says nothing about the next.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

/// The members that are usable on their own, and what is known of the others.
#[derive(Default)]
struct Reading {
    usable: Vec<Candidate>,
    /// Keys that the set gives away with their private part, under whatever `kid`.
    disclosed: Vec<PublicKey>,
    left_out: Vec<String>,
}

struct Candidate {
    index: usize,
    kid: String,
    key: PublicKey,
    sent: Value,
}

/// What is different from the set before; `kid`s.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeyChange {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Another key under the same `kid`.
    pub replaced: Vec<String>,
}

// === impl IssuerKeys ===

impl IssuerKeys {
    /// From the bytes of a JWKS.
    ///
    /// A member that is not usable is left out and spoils nothing else, as RFC 7517 section 5 asks: an
    /// issuer's set serves others too. That is a key for something else (encryption, an algorithm we do
    /// not verify), one without a `kid`, malformed or weak, a member that names a field twice. So is what
    /// is doubtful: two different keys of one algorithm under one `kid`, and a key whose private part
    /// stands in the set. In a configuration all of these are mistakes, and errors.
    ///
    /// # Errors
    /// Not a JWKS, no key left, or more than 64 that are usable; for the log.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let reading = Reading::of(&members(bytes)?);
        if reading.usable.len() > KEYS {
            return Err(format!("more than {KEYS} keys"));
        }
        let (used, left_out) = reading.judge();
        let sent =
            used.iter().map(|one| ((one.kid.clone(), one.key.algorithm()), one.sent.clone()));
        let sent = sent.collect();
        let left_out = shortened(left_out);
        match KeySet::of_keys(used.into_iter().map(|one| (one.kid, one.key))) {
            Some(keys) => Ok(Self { keys, sent, left_out }),
            None => Err(format!("no key that verifies a session; {}", left_out.join("; "))),
        }
    }

    /// The keys that are for us.
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.sent.len()
    }

    /// Why which keys are not used; no key material.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Whether members are left out that were not left out of the set before, or for another reason.
    pub fn has_new_omissions(&self, before: Option<&Self>) -> bool {
        let before = before.map_or(&[][..], |before| &before.left_out);
        self.left_out.iter().any(|one| !before.contains(one))
    }

    /// How this set differs from the one before.
    pub fn change_from(&self, before: Option<&Self>) -> KeyChange {
        let nothing = BTreeMap::new();
        let before = before.map_or(&nothing, |before| &before.sent);
        let mut change = KeyChange::default();
        for (name, key) in &self.sent {
            match before.get(name) {
                None => change.added.push(name.0.clone()),
                Some(old) if old != key => change.replaced.push(name.0.clone()),
                Some(_) => {}
            }
        }
        let removed = before.keys().filter(|name| !self.sent.contains_key(*name));
        change.removed = removed.map(|(kid, _)| kid.clone()).collect();
        // Keys that share a `kid` stand next to each other.
        for kids in [&mut change.added, &mut change.removed, &mut change.replaced] {
            kids.dedup();
        }
        change
    }
}

fn members(bytes: &[u8]) -> Result<Vec<&RawValue>, String> {
    // serde would take an array for the object's fields in their order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("not a key set: not a JSON object".into());
    }
    let set: Members = serde_json::from_slice(bytes)
        .map_err(|error| format!("not a key set, {{\"keys\": [...]}}: {error}"))?;
    Ok(set.keys)
}

/// A bounded list, which says how long it was.
fn shortened(mut left_out: Vec<String>) -> Vec<String> {
    let more = left_out.len().saturating_sub(LISTED);
    left_out.truncate(LISTED);
    if more > 0 {
        left_out.push(format!("and {more} more"));
    }
    left_out
}

// === impl Reading ===

impl Reading {
    fn of(members: &[&RawValue]) -> Reading {
        let mut reading = Reading::default();
        for (index, raw) in members.iter().enumerate() {
            let Some(members) = strict_json::object(raw.get().as_bytes()) else {
                let why = "must be an object that names every member once";
                reading.left_out.push(format!("keys[{index}]: {why}"));
                continue;
            };
            let read = ReadJwk::of(index, &members);
            if read.is_disclosed {
                reading.disclosed.extend(read.key.clone());
            }
            match read.usable() {
                Ok((kid, key)) => {
                    let sent = Value::Object(members);
                    reading.usable.push(Candidate { index, kid, key, sent });
                }
                Err(errors) => reading.left_out.extend(errors.first().map(ToString::to_string)),
            }
        }
        reading
    }

    /// Each key is looked at beside all the others: which are used, and why the others are not.
    fn judge(self) -> (Vec<Candidate>, Vec<String>) {
        let Reading { usable, disclosed, mut left_out } = self;
        let doubts: Vec<_> = usable.iter().map(|one| one.doubt(&usable, &disclosed)).collect();
        let mut used = Vec::new();
        for (one, doubt) in usable.into_iter().zip(doubts) {
            match doubt {
                None => used.push(one),
                Some(why) => left_out.push(format!("keys[{}]: {why}", one.index)),
            }
        }
        (used, left_out)
    }
}

// === impl Candidate ===

impl Candidate {
    /// Why this key is not used although nothing is wrong with its own member.
    fn doubt(&self, usable: &[Candidate], disclosed: &[PublicKey]) -> Option<String> {
        if disclosed.iter().any(|key| key.is_same_as(&self.key)) {
            return Some(
                "the set discloses its private key under another entry; replace it".into(),
            );
        }
        let algorithm = self.key.algorithm();
        let rival = usable.iter().find(|other| {
            other.kid == self.kid
                && other.key.algorithm() == algorithm
                && !other.key.is_same_as(&self.key)
        })?;
        let kid: String = self.kid.chars().take(KID_SHOWN).collect();
        let rival = rival.index;
        Some(format!(
            "keys[{rival}] is another {algorithm} key of the kid {kid:?}; neither is used"
        ))
    }
}

// === impl KeyChange ===

impl KeyChange {
    /// The set is the same as before.
    pub fn is_empty(&self) -> bool {
        let KeyChange { added, removed, replaced } = self;
        added.is_empty() && removed.is_empty() && replaced.is_empty()
    }
}

impl std::fmt::Display for KeyChange {
    /// As in `added ["b"], removed ["a"]`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let KeyChange { added, removed, replaced } = self;
        let kinds = [("added", added), ("removed", removed), ("replaced", replaced)];
        for (n, (kind, kids)) in kinds.iter().filter(|(_, kids)| !kids.is_empty()).enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{kind} {kids:?}")?;
        }
        Ok(())
    }
}
