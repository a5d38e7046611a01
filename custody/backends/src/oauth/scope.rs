//! Minted is a subset of requested is a subset of granted.

use crate::BackendFault;
use std::collections::BTreeSet;

/// The scopes to request: those of the credential that the grant allows. In order, each once.
///
/// # Errors
/// The grant gives away what the credential has not.
pub fn narrowed(all: &[String], granted: &[String]) -> Result<Vec<String>, BackendFault> {
    let wanted = if granted.is_empty() { all } else { granted };
    let all: BTreeSet<_> = all.iter().collect();
    let wanted: BTreeSet<_> = wanted.iter().collect();
    // A credential that lists no scope has whatever its client may request.
    if !all.is_empty() && !wanted.is_subset(&all) {
        let what = "the grant narrows to a scope that the credential has not";
        return Err(BackendFault::Denied(what.into()));
    }
    Ok(wanted.into_iter().cloned().collect())
}

/// The scopes of a token, and those among them that nobody requested.
#[derive(Debug, PartialEq, Eq)]
pub struct Minted {
    pub all: Vec<String>,
    pub extra: Vec<String>,
}

/// The scopes of the token. A server that names no scope gave what was requested (RFC 6749 section
/// 5.1).
///
/// Many servers add scopes of their own (Keycloak's defaults, Google's `openid`): that is an error only
/// if a grant narrows. If nothing in particular was requested, the token may have anything.
///
/// # Errors
/// A grant narrows, and the token has more than was requested.
pub fn checked(
    minted: Option<Vec<String>>,
    requested: &[String],
    is_narrowed: bool,
) -> Result<Minted, BackendFault> {
    let all = match minted {
        Some(minted) => minted.into_iter().flat_map(|scope| parts(scope, requested)).collect(),
        None => requested.to_vec(),
    };
    let mut extra: Vec<String> = Vec::new();
    if !requested.is_empty() {
        extra.extend(all.iter().filter(|scope| !requested.contains(scope)).cloned());
    }
    if is_narrowed && !extra.is_empty() {
        return Err(BackendFault::Unfit("it has a scope that was not requested"));
    }
    Ok(Minted { all, extra })
}

/// GitHub divides scopes by commas; a comma may also be part of one (RFC 6749 section 3.3).
fn parts(scope: String, requested: &[String]) -> Vec<String> {
    if requested.contains(&scope) {
        return vec![scope];
    }
    scope.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scopes() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-d]", 0..4)
    }

    proptest! {
        #[test]
        fn nothing_grows(all in scopes(), granted in scopes(), minted in scopes()) {
            let Ok(requested) = narrowed(&all, &granted) else {
                prop_assert!(granted.iter().any(|scope| !all.contains(scope)));
                return Ok(());
            };
            for scope in &requested {
                prop_assert!(all.is_empty() || all.contains(scope));
                prop_assert!(granted.is_empty() || granted.contains(scope));
            }
            prop_assert_eq!(requested.is_empty(), all.is_empty() && granted.is_empty());
            if let Ok(checked) = checked(Some(minted.clone()), &requested, true) {
                for scope in &checked.all {
                    prop_assert!(requested.is_empty() || requested.contains(scope));
                }
            }
            let loose = checked(Some(minted), &requested, false).unwrap();
            for scope in &loose.all {
                let is_extra = loose.extra.contains(scope);
                prop_assert!(requested.is_empty() || requested.contains(scope) != is_extra);
            }
        }
    }

    fn owned(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn a_server_that_names_no_scope_gave_what_was_asked() {
        let asked = owned(&["a"]);
        let minted = Minted { all: asked.clone(), extra: Vec::new() };
        assert_eq!(checked(None, &asked, true), Ok(minted));
        assert!(checked(Some(owned(&["a", "b"])), &asked, true).is_err());
    }

    #[test]
    fn more_than_was_asked_is_extra_unless_a_grant_narrows() {
        let asked = owned(&["repo", "a,b"]);
        for (minted, all, extra) in [
            (&["repo,gist"][..], &["repo", "gist"][..], &["gist"][..]),
            (&["a,b", "openid"], &["a,b", "openid"], &["openid"]),
            (&["repo,a,b,"], &["repo", "a", "b"], &["a", "b"]),
            (&["repo"], &["repo"], &[]),
        ] {
            let wanted = Minted { all: owned(all), extra: owned(extra) };
            let minted = Some(owned(minted));
            assert_eq!(checked(minted.clone(), &asked, false), Ok(wanted));
            assert_eq!(checked(minted, &asked, true).is_ok(), extra.is_empty());
        }
        assert_eq!(checked(Some(owned(&["x"])), &[], false).unwrap().extra, owned(&[]));
    }
}
