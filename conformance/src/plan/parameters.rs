//! Probes of the parameters: missing, breaking one keyword of their schema, and on its boundaries.

use serde_json::Value;

use super::{Expectation, Planner, Probe};
use crate::checker::possible_values;
use crate::contract::{Parameter, ParameterLocation};
use crate::draft::Draft;
use crate::report::Rule;

impl Planner<'_> {
    /// A valid value of a path parameter that identifies nothing.
    pub(super) fn unknown_id(&self, parameter: &Parameter) -> Option<String> {
        let pointer = parameter.schema.as_ref()?;
        let validator = self.contract.validator(pointer).ok()?;
        let fits = |text: &str| possible_values(text).iter().any(|value| validator.is_valid(value));
        let plain = "conformance-unknown".to_owned();
        if fits(&plain) {
            return Some(plain);
        }
        let samples = self.contract.schema(pointer).ok()?.samples(4, self.seed ^ 0x00c0_ffee).ok()?;
        let texts =
            samples.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        let current = self.base.draft.path.get(&parameter.name).cloned();
        texts
            .filter(|text| !text.is_empty() && Some(text) != current.as_ref())
            .find(|text| text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-'))
    }

    /// Parameters that must be rejected.
    pub(super) fn invalid_parameters(&self) -> Vec<Probe> {
        let draft = &self.base.draft;
        let mut out = Vec::new();
        for parameter in &draft.operation.parameters {
            let refused = |pointer: &str| Expectation::Rejected {
                rule: Rule::Accepted,
                statuses: if parameter.location == ParameterLocation::Path {
                    vec![400, 404, 422]
                } else {
                    vec![400, 422]
                },
                codes: match parameter.location {
                    ParameterLocation::Path => Vec::new(),
                    _ => self.contract.error_codes("invalid"),
                },
                pointer: pointer.to_owned(),
            };
            let place = parameter.location.name();
            if parameter.required && parameter.location != ParameterLocation::Path {
                let mut changed = draft.clone();
                if changed.set(parameter, None).is_ok() {
                    let tried = format!("without the {place} parameter {}", parameter.name);
                    out.push(self.probe(tried, changed, refused(&parameter.pointer)));
                }
            }
            let Some(pointer) = &parameter.schema else { continue };
            if parameter.location == ParameterLocation::Cookie {
                continue;
            }
            let Ok(schema) = self.contract.schema(pointer) else { continue };
            let (Ok(validator), Ok(mutants)) = (self.contract.validator(pointer), schema.mutants(None))
            else {
                continue;
            };
            for case in mutants.cases {
                // A mutant may be valid again once it is serialized and parsed.
                let valid_again = match &case.value {
                    Value::Array(items) => {
                        let texts: Option<Vec<Value>> =
                            items.iter().map(|item| scalar(item).map(Value::String)).collect();
                        items.len() < 2 || texts.is_some_and(|texts| validator.is_valid(&Value::Array(texts)))
                    }
                    value => match scalar(value) {
                        Some(text) => {
                            text.is_empty() && parameter.location == ParameterLocation::Header
                                || possible_values(&text).iter().any(|value| validator.is_valid(value))
                                || is_single_item_list(&text, &validator)
                        }
                        None => true,
                    },
                };
                let mut changed = draft.clone();
                if valid_again || changed.set(parameter, Some(&case.value)).is_err() {
                    continue;
                }
                let tried = format!("{place} parameter {}: {}", parameter.name, case.description);
                out.push(self.probe(tried, changed, refused(&case.schema)));
            }
        }
        out
    }

    /// Parameters that the contract allows.
    pub(super) fn valid_parameters(&self) -> Vec<Probe> {
        let draft = &self.base.draft;
        let mut out = Vec::new();
        for parameter in
            draft.operation.parameters.iter().filter(|one| one.location != ParameterLocation::Path)
        {
            let Some(pointer) = &parameter.schema else { continue };
            let Ok(schema) = self.contract.schema(pointer) else { continue };
            let mut values: Vec<(String, Value)> =
                parameter.examples.iter().map(|value| ("example".to_owned(), value.clone())).collect();
            if let Ok(cases) = schema.boundaries(None) {
                values.extend(cases.cases.into_iter().map(|case| (case.description, case.value)));
            }
            if let Ok(samples) = schema.samples(self.cases.min(3), self.seed) {
                values.extend(samples.into_iter().map(|value| ("random value".to_owned(), value)));
            }
            if !parameter.required && self.is_set(draft, parameter) {
                let mut changed = draft.clone();
                if changed.set(parameter, None).is_ok() {
                    let tried = format!("without the optional parameter {}", parameter.name);
                    out.push(self.probe(tried, changed, Expectation::Documented));
                }
            }
            for (what, value) in values {
                // Null has no text, and an empty list or an empty header cannot be sent.
                let travels = match &value {
                    Value::Null | Value::Object(_) => false,
                    Value::Array(items) => !items.is_empty(),
                    Value::String(text) => {
                        !(text.is_empty() && parameter.location == ParameterLocation::Header)
                    }
                    _ => true,
                };
                let mut changed = draft.clone();
                if travels && changed.set(parameter, Some(&value)).is_ok() {
                    let tried = format!("{} parameter {}: {what}", parameter.location.name(), parameter.name);
                    out.push(self.probe(tried, changed, Expectation::Valid));
                }
            }
        }
        out
    }

    fn is_set(&self, draft: &Draft, parameter: &Parameter) -> bool {
        match parameter.location {
            ParameterLocation::Query => draft.query.iter().any(|(name, _)| *name == parameter.name),
            ParameterLocation::Header => {
                draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(&parameter.name))
            }
            ParameterLocation::Cookie => draft.cookies.iter().any(|(name, _)| *name == parameter.name),
            ParameterLocation::Path => true,
        }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether the text is valid as a list with one item.
fn is_single_item_list(text: &str, validator: &jsonschema::Validator) -> bool {
    text.split(',').count() < 2
        && possible_values(text).into_iter().any(|item| validator.is_valid(&Value::Array(vec![item])))
}
