//! Documentation of generated types: the contract's words where it has some, and otherwise what can be read
//! off it: who answers or takes the type, what a member may hold.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Contract, Status, TypeRef};
use crate::name::{is_nullable, pascal};

/// Knows for every type where it is used.
pub struct Docs<'a> {
    contract: &'a Contract,
    uses: BTreeMap<String, Vec<String>>,
    descriptions: BTreeMap<String, &'a str>,
}

impl<'a> Docs<'a> {
    /// Collects the uses of every schema.
    pub fn new(contract: &'a Contract) -> Self {
        let mut uses: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut note = |ty: &TypeRef, text: String| {
            if let TypeRef::Named(name) = ty {
                let all = uses.entry(name.clone()).or_default();
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        };
        for operation in &contract.operations {
            for media in operation.body.iter().flat_map(|body| &body.media) {
                note(&media.ty, format!("Body of `{}`.", operation.id));
            }
            for response in &operation.responses {
                let status = match response.status {
                    Status::Code(code) => code.to_string(),
                    Status::Class(class) => format!("{class}XX"),
                    Status::Default => "default".into(),
                };
                for media in &response.media {
                    note(&media.ty, format!("Answer of `{}` ({status}).", operation.id));
                }
            }
            for param in &operation.params {
                note(&param.ty, format!("Parameter `{}` of `{}`.", param.name, operation.id));
            }
        }
        for (name, schema) in &contract.schemas {
            for reference in crate::model::references(schema) {
                let text = format!("Part of [`{}`].", pascal(name));
                let all = uses.entry(pascal(&reference)).or_default();
                if !all.contains(&text) {
                    all.push(text);
                }
            }
        }
        let descriptions = contract
            .schemas
            .iter()
            .filter_map(|(name, schema)| Some((pascal(name), schema.get("description")?.as_str()?)))
            .collect();
        Self { contract, uses, descriptions }
    }

    /// Lines for a type.
    pub fn of_type(&self, name: &str) -> Vec<String> {
        let mut lines = Vec::new();
        match self.descriptions.get(name) {
            Some(description) => lines.extend(sentences(description)),
            None => lines.push(format!("{}.", capitalised(&words(name)))),
        }
        let uses = self.uses.get(name).map(Vec::as_slice).unwrap_or_default();
        if !uses.is_empty() {
            lines.push(String::new());
            match uses {
                few if few.len() <= 4 => lines.push(few.join(" ")),
                many => lines.push(format!("{} And {} more.", many[..3].join(" "), many.len() - 3)),
            }
        }
        if let Some(pointer) = self.contract.hoisted.get(name) {
            lines.push(String::new());
            lines.push(format!("Inline in the contract, at `{pointer}`."));
        }
        lines
    }

    /// Lines for a member.
    pub fn of_property(&self, name: &str, schema: &Value) -> Vec<String> {
        let mut lines = match schema.get("description").and_then(Value::as_str) {
            Some(description) => sentences(description),
            None => vec![format!("{}.", capitalised(&words(name)))],
        };
        let facts = facts(schema);
        if !facts.is_empty() {
            lines.push(String::new());
            lines.push(facts.join(" "));
        }
        lines
    }
}

/// What the schema says about values, in words.
fn facts(schema: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let number = |key: &str| schema.get(key).filter(|value| value.is_number()).map(Value::to_string);
    match schema.get("format").and_then(Value::as_str) {
        Some("date-time" | "date" | "int32" | "int64") | None => {}
        Some(format) => out.push(format!("Format: {format}.")),
    }
    if let Some(limit) = number("minLength").filter(|limit| limit != "0") {
        out.push(if limit == "1" { "Not empty.".into() } else { format!("At least {limit} characters.") });
    }
    if let Some(limit) = number("maxLength") {
        out.push(format!("At most {limit} characters."));
    }
    match (number("minimum"), number("maximum")) {
        (Some(low), Some(high)) => out.push(format!("From {low} to {high}.")),
        (Some(low), None) => out.push(format!("At least {low}.")),
        (None, Some(high)) => out.push(format!("At most {high}.")),
        (None, None) => {}
    }
    if let Some(limit) = number("minItems").filter(|limit| limit != "0") {
        out.push(format!("At least {limit} of them."));
    }
    if let Some(limit) = number("maxItems") {
        out.push(format!("At most {limit} of them."));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        out.push(format!("Matches `{pattern}`."));
    }
    if is_nullable(schema) {
        out.push("May be null.".into());
    }
    if let Some(default) = schema.get("default") {
        out.push(format!("Default: `{default}`."));
    }
    if let Some(example) = schema.get("example").or_else(|| schema.get("examples").and_then(|all| all.get(0)))
    {
        out.push(format!("Example: `{example}`."));
    }
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        out.push("Deprecated: kept for readers of earlier versions.".into());
    }
    out
}

fn sentences(text: &str) -> Vec<String> {
    // Markdown links to nowhere are a documentation error: brackets stay literal.
    text.trim().lines().map(|line| line.trim_end().replace('[', "\\[").replace(']', "\\]")).collect()
}

/// `lastUsedAt` → `last used at`.
pub fn words(name: &str) -> String {
    let acronyms = [
        ("oauth", "OAuth"),
        ("api", "API"),
        ("url", "URL"),
        ("sdk", "SDK"),
        ("ai", "AI"),
        ("jwk", "JWK"),
        ("jwks", "JWKS"),
        ("usd", "USD"),
    ];
    let word = |word: &str| {
        acronyms
            .iter()
            .find(|(plain, _)| *plain == word)
            .map_or_else(|| word.to_owned(), |(_, known)| (*known).to_owned())
    };
    crate::name::snake(name).split('_').map(word).collect::<Vec<_>>().join(" ")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
