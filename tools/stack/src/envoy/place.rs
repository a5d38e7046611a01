//! Finding one's way in a parsed Envoy configuration: by path, by name, and by `@type`.

use serde_json::Value;

/// The place a path like `admin.address` or `clusters[custody].type` leads to. `[name]` picks, in
/// an array, the object whose `name` is that; a number picks by position.
pub(super) fn at<'a>(root: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    let mut here = root;
    for step in path.split(['.', '[']) {
        let step = step.trim_end_matches(']');
        here = match here {
            Value::Object(fields) => fields.get_mut(step)?,
            Value::Array(items) => match step.parse::<usize>() {
                Ok(position) => items.get_mut(position)?,
                Err(_) => items.iter_mut().find(|item| named(item, step))?,
            },
            _ => return None,
        };
    }
    Some(here)
}

/// Calls `change` on every message whose `@type` ends in `.{message}`; says how many there were.
pub(super) fn each_of_type(
    root: &mut Value,
    message: &str,
    change: &mut dyn FnMut(&mut Value) -> Option<()>,
) -> Option<usize> {
    let is_it = root
        .get("@type")
        .and_then(Value::as_str)
        .and_then(|kind| kind.strip_suffix(message))
        .is_some_and(|rest| rest.ends_with('.'));
    if is_it {
        change(root)?;
        return Some(1);
    }
    let children: Box<dyn Iterator<Item = &mut Value>> = match root {
        Value::Object(fields) => Box::new(fields.iter_mut().map(|(_, value)| value)),
        Value::Array(items) => Box::new(items.iter_mut()),
        _ => return Some(0),
    };
    let mut found = 0;
    for child in children {
        found += each_of_type(child, message, change)?;
    }
    Some(found)
}

fn named(item: &Value, name: &str) -> bool {
    item.get("name").and_then(Value::as_str) == Some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_goes_through_fields_names_and_positions() {
        let mut root = json!({"clusters": [{"name": "a"}, {"name": "b", "hosts": [1, {"x": 2}]}]});
        assert_eq!(at(&mut root, "clusters[b].hosts[1].x"), Some(&mut json!(2)));
        assert_eq!(at(&mut root, "clusters[c].hosts"), None);
        assert_eq!(at(&mut root, "clusters[b].hosts[2]"), None);
    }

    #[test]
    fn messages_are_found_by_type_wherever_they_are() {
        let mut root = json!([
            {"@type": "type.googleapis.com/x.v3.Wasm", "n": 1},
            {"deeper": {"@type": "type.googleapis.com/x.v3.Wasm", "n": 2}},
            {"@type": "type.googleapis.com/x.v3.NotWasm", "n": 3},
        ]);
        let mut seen = Vec::new();
        let found = each_of_type(&mut root, "Wasm", &mut |message| {
            seen.push(message.get("n")?.as_i64()?);
            Some(())
        });
        assert_eq!((found, seen), (Some(2), vec![1, 2]));
    }
}
