//! The fidelity ledger: every schema keyword of the contract and where it takes effect.
//!
//! A keyword takes effect in the Rust type or at the server boundary, or it is text for readers. A constraint that is
//! enforced nowhere is "documentation only"; their number must not rise. An unknown keyword is an error, so that nothing
//! is ignored silently.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::emit::types::{BOUNDARY_KEYWORDS, TYPED_FORMATS, requires_only};
use crate::model::Contract;
use crate::name::{METHODS, escape};
use crate::output::File;
use crate::source;

/// Formats that the server boundary checks.
const BOUNDARY_FORMATS: [&str; 14] = [
    "email",
    "idn-email",
    "uri",
    "uri-reference",
    "iri",
    "uuid",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "time",
    "duration",
    "json-pointer",
    "regex",
];

/// Formats that select a Rust type or encoding without adding a constraint.
const TYPE_FORMATS: [&str; 8] = ["binary", "byte", "float", "double", "uint32", "uint64", "uint", "int8"];

/// Keywords that determine the Rust type.
const TYPE_KEYWORDS: [&str; 12] = [
    "$ref",
    "type",
    "properties",
    "required",
    "items",
    "enum",
    "const",
    "default",
    "additionalProperties",
    "allOf",
    "oneOf",
    "nullable",
];

/// Keywords that are text for readers.
const TEXT_KEYWORDS: [&str; 9] = [
    "description",
    "title",
    "example",
    "examples",
    "deprecated",
    "externalDocs",
    "$comment",
    "xml",
    "summary",
];

/// Constraints that are not enforced yet.
const UNENFORCED_KEYWORDS: [&str; 14] = [
    "readOnly",
    "writeOnly",
    "discriminator",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "contains",
    "prefixItems",
    "unevaluatedProperties",
    "unevaluatedItems",
];

/// Where a keyword takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Enforcement {
    /// The Rust type enforces it.
    Type,
    /// The server boundary checks requests, and in tests responses.
    Boundary,
    /// It is text for readers.
    Text,
    /// It is a constraint that nothing enforces.
    DocumentationOnly,
}

/// Counts of one keyword.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Enforced by the type.
    #[serde(rename = "type")]
    pub by_type: usize,
    /// Checked at the boundary.
    pub boundary: usize,
    /// Text.
    pub text: usize,
    /// Documentation only.
    pub documentation_only: usize,
}

/// The ledger as committed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ledger {
    /// By keyword; formats as `format: email`.
    pub keywords: BTreeMap<String, Counts>,
    /// JSON pointers of documentation-only keywords.
    pub documentation_only: Vec<String>,
    /// Operations that progenitor cannot generate and our own emitter does, with the reason.
    pub lowered: Vec<String>,
}

impl Ledger {
    /// Reads the keywords of the effective document.
    pub fn of(contract: &Contract) -> Result<Self> {
        let mut ledger = Self::default();
        let document = &contract.effective;
        let components = &document["components"];
        for (name, schema) in components["schemas"].as_object().into_iter().flatten() {
            ledger.schema(schema, &format!("#/components/schemas/{}", escape(name)))?;
        }
        for section in ["parameters", "headers"] {
            for (name, holder) in components[section].as_object().into_iter().flatten() {
                ledger.holder(holder, &format!("#/components/{section}/{}", escape(name)))?;
            }
        }
        for section in ["requestBodies", "responses"] {
            for (name, holder) in components[section].as_object().into_iter().flatten() {
                ledger.message(holder, &format!("#/components/{section}/{}", escape(name)))?;
            }
        }
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let pointer = format!("#/paths/{}", escape(path));
            for (index, parameter) in item["parameters"].as_array().into_iter().flatten().enumerate() {
                ledger.holder(parameter, &format!("{pointer}/parameters/{index}"))?;
            }
            for method in METHODS {
                let Some(operation) = item.get(method) else { continue };
                let pointer = format!("{pointer}/{method}");
                for (index, parameter) in operation["parameters"].as_array().into_iter().flatten().enumerate()
                {
                    ledger.holder(parameter, &format!("{pointer}/parameters/{index}"))?;
                }
                ledger.message(&operation["requestBody"], &format!("{pointer}/requestBody"))?;
                for (status, response) in operation["responses"].as_object().into_iter().flatten() {
                    ledger.message(response, &format!("{pointer}/responses/{status}"))?;
                }
            }
        }
        Ok(ledger)
    }

    /// The number of documentation-only keywords.
    pub fn documentation_only_count(&self) -> usize {
        self.documentation_only.len()
    }

    /// The ledger as a file.
    pub fn file(&self, path: String) -> Result<File> {
        Ok(File::plain(path, serde_json::to_string_pretty(self)? + "\n"))
    }

    fn message(&mut self, message: &Value, pointer: &str) -> Result<()> {
        for (media_type, media) in message["content"].as_object().into_iter().flatten() {
            if let Some(schema) = media.get("schema") {
                self.schema(schema, &format!("{pointer}/content/{}/schema", escape(media_type)))?;
            }
        }
        for (name, header) in message["headers"].as_object().into_iter().flatten() {
            self.holder(header, &format!("{pointer}/headers/{}", escape(name)))?;
        }
        Ok(())
    }

    fn holder(&mut self, holder: &Value, pointer: &str) -> Result<()> {
        match holder.get("schema") {
            Some(schema) => self.schema(schema, &format!("{pointer}/schema")),
            None => Ok(()),
        }
    }

    fn record(&mut self, keyword: &str, place: Enforcement, pointer: &str) {
        let counts = self.keywords.entry(keyword.to_owned()).or_default();
        match place {
            Enforcement::Type => counts.by_type += 1,
            Enforcement::Boundary => counts.boundary += 1,
            Enforcement::Text => counts.text += 1,
            Enforcement::DocumentationOnly => {
                counts.documentation_only += 1;
                self.documentation_only.push(pointer.to_owned());
            }
        }
    }

    fn schema(&mut self, schema: &Value, pointer: &str) -> Result<()> {
        let Some(object) = schema.as_object() else { return Ok(()) };
        for (keyword, value) in object {
            let at = format!("{pointer}/{}", escape(keyword));
            match keyword.as_str() {
                "format" => {
                    let format = value.as_str().unwrap_or_default();
                    let place = if TYPED_FORMATS.contains(&format) || TYPE_FORMATS.contains(&format) {
                        Enforcement::Type
                    } else if BOUNDARY_FORMATS.contains(&format) {
                        Enforcement::Boundary
                    } else if format == "password" {
                        // A hint for forms. The server also omits such values from error messages.
                        Enforcement::Text
                    } else {
                        Enforcement::DocumentationOnly
                    };
                    self.record(&format!("format: {format}"), place, &at);
                }
                "anyOf" | "oneOf" if requires_only(value) => self.record(keyword, Enforcement::Boundary, &at),
                "anyOf" => self.record(keyword, Enforcement::Type, &at),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                    self.record(keyword, Enforcement::Boundary, &at)
                }
                known if TYPE_KEYWORDS.contains(&known) => self.record(keyword, Enforcement::Type, &at),
                known if BOUNDARY_KEYWORDS.contains(&known) => {
                    self.record(keyword, Enforcement::Boundary, &at)
                }
                known if TEXT_KEYWORDS.contains(&known) || known.starts_with("x-") => {
                    self.record(keyword, Enforcement::Text, &at)
                }
                known if UNENFORCED_KEYWORDS.contains(&known) => {
                    self.record(keyword, Enforcement::DocumentationOnly, &at)
                }
                unknown => bail!(
                    "{at}: keyword {unknown} is unknown and would have no effect. Remove it, or add support for it to the generator"
                ),
            }
            match keyword.as_str() {
                "properties" | "patternProperties" | "dependentSchemas" => {
                    for (name, child) in value.as_object().into_iter().flatten() {
                        self.schema(child, &format!("{at}/{}", escape(name)))?;
                    }
                }
                "items"
                | "additionalProperties"
                | "not"
                | "if"
                | "then"
                | "else"
                | "contains"
                | "propertyNames" => {
                    self.schema(value, &at)?;
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" if !requires_only(value) => {
                    for (index, child) in value.as_array().into_iter().flatten().enumerate() {
                        self.schema(child, &format!("{at}/{index}"))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Rejects a ledger with more documentation-only keywords than the committed one.
///
/// # Errors
///
/// When there are more, or the committed ledger cannot be read.
pub fn guard(committed: &str, now: &Ledger) -> Result<()> {
    let before: Ledger =
        serde_json::from_str(committed).context("the committed fidelity ledger cannot be read")?;
    if now.documentation_only_count() > before.documentation_only_count() {
        let new: Vec<&str> = now
            .documentation_only
            .iter()
            .filter(|pointer| !before.documentation_only.contains(pointer))
            .map(String::as_str)
            .collect();
        bail!(
            "documentation-only keywords rise from {} to {}: nothing enforces\n  {}\nenforce them in the type or at the server boundary, or remove them from the contract",
            before.documentation_only_count(),
            now.documentation_only_count(),
            new.join("\n  ")
        );
    }
    Ok(())
}

/// Arguments of `ledger`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: source::Inputs,
    /// Print the ledger as JSON
    #[arg(long)]
    json: bool,
}

/// Prints the ledger.
pub fn run(args: &Args) -> Result<ExitCode> {
    let contract = Contract::build(source::load(&args.inputs)?)?;
    let ledger = crate::generate::ledger(&contract)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&ledger)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("{:<24} {:>8} {:>9} {:>8} {:>19}", "keyword", "type", "boundary", "text", "documentation only");
    let mut total = Counts::default();
    for (keyword, counts) in &ledger.keywords {
        println!(
            "{keyword:<24} {:>8} {:>9} {:>8} {:>19}",
            counts.by_type, counts.boundary, counts.text, counts.documentation_only
        );
        total.by_type += counts.by_type;
        total.boundary += counts.boundary;
        total.text += counts.text;
        total.documentation_only += counts.documentation_only;
    }
    println!(
        "{:<24} {:>8} {:>9} {:>8} {:>19}",
        "total", total.by_type, total.boundary, total.text, total.documentation_only
    );
    println!();
    for pointer in &ledger.documentation_only {
        println!("documentation only: {pointer}");
    }
    for line in &ledger.lowered {
        println!("own emitter: {line}");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ledger(schema: Value) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        ledger.schema(&schema, "#/s").map(|()| ledger)
    }

    #[test]
    fn records_where_each_keyword_takes_effect() {
        let ledger = ledger(json!({ "type": "object", "description": "…", "properties": {
            "mail": { "type": "string", "format": "email", "maxLength": 9 },
            "at": { "type": "string", "format": "date-time" },
            "colour": { "type": "string", "format": "colour", "readOnly": true },
        } }))
        .expect("reads");
        assert_eq!(ledger.keywords["type"].by_type, 4);
        assert_eq!(ledger.keywords["maxLength"].boundary, 1);
        assert_eq!(ledger.keywords["format: email"].boundary, 1);
        assert_eq!(ledger.keywords["format: date-time"].by_type, 1);
        assert_eq!(
            ledger.documentation_only,
            ["#/s/properties/colour/format", "#/s/properties/colour/readOnly"]
        );
    }

    #[test]
    fn rejects_unknown_keywords_with_their_pointer() {
        let error =
            ledger(json!({ "properties": { "a": { "maxLenght": 3 } } })).expect_err("refuses").to_string();
        assert!(error.starts_with("#/s/properties/a/maxLenght: "), "{error}");
    }

    #[test]
    fn rejects_more_documentation_only_keywords() {
        let before =
            serde_json::to_string(&ledger(json!({ "type": "string" })).expect("reads")).expect("writes");
        let after = ledger(json!({ "readOnly": true })).expect("reads");
        let error = guard(&before, &after).expect_err("refuses").to_string();
        assert!(error.contains("from 0 to 1") && error.contains("#/s/readOnly"), "{error}");
        assert!(guard(&serde_json::to_string(&after).expect("writes"), &after).is_ok());
    }
}
