//! Minted is a subset of requested is a subset of granted.

use crate::BackendFault;
use std::collections::BTreeSet;

/// What to request: of what the credential may have, what the grant gives away. In order, each once.
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

/// What the token has. A server that names no scope gave what was requested (RFC 6749 section 5.1).
///
/// # Errors
/// It has more than was requested. If nothing in particular was, it may have anything.
pub fn checked(
    minted: Option<Vec<String>>,
    requested: &[String],
) -> Result<Vec<String>, BackendFault> {
    let minted = minted.unwrap_or_else(|| requested.to_vec());
    if !requested.is_empty() && minted.iter().any(|scope| !requested.contains(scope)) {
        return Err(BackendFault::Unfit("it has a scope that was not requested"));
    }
    Ok(minted)
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
            if let Ok(minted) = checked(Some(minted), &requested) {
                for scope in &minted {
                    prop_assert!(requested.is_empty() || requested.contains(scope));
                }
            }
        }
    }

    #[test]
    fn a_server_that_names_no_scope_gave_what_was_asked() {
        let asked = ["a".to_owned()];
        assert_eq!(checked(None, &asked), Ok(asked.to_vec()));
        assert!(checked(Some(vec!["a".into(), "b".into()]), &asked).is_err());
    }
}
