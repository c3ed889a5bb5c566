//! Envelopes: component schemas that only wrap a payload, such as `{"success": true, "data": …}`.

use serde_json::Value;

use super::{Contract, TypeRef};
use crate::name::pascal;

/// A component schema that consists of a payload and members with constant values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Name of its type.
    pub name: String,
    /// Member that holds the payload.
    pub member: String,
    /// Whether the payload is required.
    pub required: bool,
    /// Type of the payload.
    pub payload: TypeRef,
    /// The other members, each with whether it is required. Their schemas have a constant value.
    pub constants: Vec<(String, bool)>,
}

impl Contract {
    /// The envelope that a type is, by the settings `[names]`. `None` for everything else: where the settings name no
    /// wrapper, and where the envelope has a member that the handler has to decide.
    pub fn envelope(&self, ty: &TypeRef) -> Option<Envelope> {
        let names = &self.settings.names;
        let (wrapper, member) = (names.wrapper.as_deref()?, names.payload.as_deref()?);
        let TypeRef::Named(name) = ty else { return None };
        if !name.ends_with(&pascal(wrapper)) {
            return None;
        }
        let (_, schema) = self.schemas.iter().find(|(key, _)| pascal(key) == *name)?;
        let only = ["type", "required", "properties", "description", "example", "examples", "title"];
        let plain = |key: &String| only.contains(&key.as_str()) || key.starts_with("x-");
        if !schema.as_object()?.iter().all(|(key, value)| plain(key) || is_closed(key, value)) {
            return None;
        }
        let required = |member: &str| {
            schema["required"].as_array().is_some_and(|required| required.iter().any(|name| name == member))
        };
        let mut constants = Vec::new();
        let mut payload = None;
        for (key, value) in schema["properties"].as_object()? {
            if key == member {
                payload = TypeRef::of(value, "").ok();
            } else if value["const"].is_boolean() {
                constants.push((key.clone(), required(key)));
            } else {
                return None;
            }
        }
        // A payload that may be null has more than one way to be absent.
        let payload = payload.filter(|ty| matches!(ty, TypeRef::Named(_)))?;
        let nullable = matches!(&payload, TypeRef::Named(name) if self.is_nullable(name));
        (!nullable).then(|| Envelope {
            name: name.clone(),
            member: member.to_owned(),
            required: required(member),
            payload,
            constants,
        })
    }

    fn is_nullable(&self, name: &str) -> bool {
        let schema = self.schemas.iter().find(|(key, _)| pascal(key) == name).map(|(_, schema)| schema);
        schema.is_some_and(crate::name::is_nullable)
    }
}

fn is_closed(key: &str, value: &Value) -> bool {
    key == "additionalProperties" && *value == Value::Bool(false)
}
