//! The two nets of an Envoy configuration that keep requests off inside addresses.

use serde_json::Value;

/// How many nets were taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// `resolved_address_filter`: of the addresses that a name resolves to.
    pub of_names: usize,
    /// `upstream_rbac`: of the address that is about to be connected to.
    pub of_connections: usize,
}

/// Takes every such net out of a configuration, for destinations on this machine.
pub fn allow(configuration: &mut Value) -> Taken {
    let mut taken = Taken::default();
    visit(configuration, &mut taken);
    taken
}

fn visit(value: &mut Value, taken: &mut Taken) {
    match value {
        Value::Object(fields) => {
            taken.of_names += usize::from(fields.remove("resolved_address_filter").is_some());
            if let Some(Value::Array(filters)) = fields.get_mut("upstream_http_filters") {
                let before = filters.len();
                filters.retain(|filter| filter["name"] != "envoy.filters.http.upstream_rbac");
                taken.of_connections += before - filters.len();
            }
            fields.values_mut().for_each(|field| visit(field, taken));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, taken)),
        _ => {}
    }
}
