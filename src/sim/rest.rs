//! The rest of what a real engine says: what pitstop never asks for, laid under an answer.
//!
//! The demo's engine answers so: its inspections look like real ones, and who reads them is measured with a real one's work.
//! Tests need none of it. As Engine 20.10 says it of a container that was given nothing.

use serde_json::Value;
use std::sync::LazyLock;

static REST: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("scenarios/rest.json")).unwrap_or_default());

/// Adds to `said` the keys it lacks of what an engine says of `what`: `version`, `info`, `inspection` or `stats`.
pub fn lay_under(said: &mut Value, what: &str) {
    lay(said, &REST[what]);
}

fn lay(said: &mut Value, rest: &Value) {
    let (Value::Object(said), Value::Object(rest)) = (said, rest) else { return };
    for (key, value) in rest {
        match said.get_mut(key) {
            Some(there) => lay(there, value),
            None => {
                said.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_said_stays() {
        let mut said = json!({"User": "web", "HostConfig": {"Memory": 5, "Binds": null}, "Config": null});
        lay_under(&mut said, "inspection");
        assert_eq!(said["HostConfig"]["Memory"], 5);
        assert_eq!(said["HostConfig"]["ShmSize"], 67_108_864);
        assert_eq!(said["Config"], Value::Null);
        for what in ["version", "info", "stats"] {
            let mut nothing = json!({});
            lay_under(&mut nothing, what);
            assert_ne!(nothing, json!({}), "{what}");
        }
    }
}
