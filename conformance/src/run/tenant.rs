//! A tenant as a run knows it: inputs, credentials, and the outputs of its flows.

use std::sync::atomic::{AtomicU64, Ordering};

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::flow_error::FlowError;
use crate::contract::Operation;
use crate::credential::Credential;
use crate::flows::ExpressionContext;

/// A tenant.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    /// Inputs.
    pub inputs: Value,
    /// Credentials, in order of preference.
    pub credentials: Vec<Credential>,
    /// Outputs of the flows that ran.
    pub workflows: IndexMap<String, IndexMap<String, Value>>,
    /// Text outputs of the steps, mostly ids.
    pub created_values: Vec<String>,
    /// Credential kinds without a credential, with the operation that would create one and is not implemented.
    pub unavailable_kinds: IndexMap<String, String>,
}

impl Tenant {
    /// The expression context of a new execution of a flow.
    pub fn context(&self) -> ExpressionContext {
        let mut inputs = self.inputs.clone();
        if let Value::Object(members) = &mut inputs {
            members.insert("run".to_owned(), json!(unique_text()));
        }
        ExpressionContext { inputs, workflows: self.workflows.clone(), ..ExpressionContext::default() }
    }

    /// The credential to call an operation with: the one with the name or kind `wanted`, else the first that fits.
    pub fn credential(&self, operation: &Operation, wanted: Option<&str>) -> Option<&Credential> {
        let usable = |credential: &&Credential| credential.is_usable();
        match wanted {
            Some("none") => None,
            Some(wanted) => {
                self.credentials.iter().filter(usable).find(|credential| credential.name == wanted).or_else(
                    || self.credentials.iter().filter(usable).find(|credential| credential.kind == wanted),
                )
            }
            None => self
                .credentials
                .iter()
                .filter(usable)
                .filter(|credential| operation.access.kinds.contains(&credential.kind))
                .filter(|credential| credential.acts_for(operation))
                .max_by_key(|credential| {
                    (credential.scopes.is_none(), std::cmp::Reverse(self.rank(credential)))
                }),
        }
    }

    /// Why there is no credential of these kinds.
    pub fn missing_credential(&self, kinds: &[String]) -> FlowError {
        let needed: Option<Vec<&String>> =
            kinds.iter().map(|kind| self.unavailable_kinds.get(kind)).collect();
        match needed.and_then(|needed| needed.first().copied().cloned()) {
            Some(needed) => FlowError::NotImplemented(needed),
            None => FlowError::NoCredential(kinds.join(" or ")),
        }
    }

    fn rank(&self, credential: &Credential) -> usize {
        self.credentials.iter().position(|known| known == credential).unwrap_or(usize::MAX)
    }
}

/// Returns a text that is unique across calls and runs.
fn unique_text() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let micros = chrono::Utc::now().timestamp_micros().unsigned_abs();
    let mut number = (micros << 8) | (COUNT.fetch_add(1, Ordering::Relaxed) & 0xff);
    let mut text = Vec::new();
    while number > 0 {
        text.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(number % 36).unwrap_or(0)]);
        number /= 36;
    }
    text.iter().rev().map(|byte| char::from(*byte)).collect()
}

/// Merges two JSON values. Members of `over` replace those of `under`, recursively.
pub fn merge(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let mut out = under.clone();
            for (name, value) in over {
                let merged = under.get(name).map_or_else(|| value.clone(), |known| merge(known, value));
                out.insert(name.clone(), merged);
            }
            Value::Object(out)
        }
        (_, over) => over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_replaces_and_keeps() {
        let under = json!({ "a": { "x": 1, "y": 2 }, "b": [1] });
        let over = json!({ "a": { "y": 3 }, "b": [2] });
        assert_eq!(merge(&under, &over), json!({ "a": { "x": 1, "y": 3 }, "b": [2] }));
    }

    #[test]
    fn unique_texts_differ() {
        let texts: std::collections::HashSet<String> = (0..1000).map(|_| unique_text()).collect();
        assert_eq!(texts.len(), 1000);
    }
}
