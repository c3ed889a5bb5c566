//! The input of typify: schemas without the constraints that types do not carry. `mod.rs` rewrites its output.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, anyhow};
use heck::{ToPascalCase as _, ToSnakeCase as _};
use serde_json::{Map, Value, json};

use crate::model::Contract;
use crate::name::{SCHEMA_PREFIX, escape, pascal};

/// Keywords that types do not carry. Servers validate them; clients do not.
pub const BOUNDARY_KEYWORDS: [&str; 16] = [
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "contentEncoding",
    "contentMediaType",
    "not",
];

/// Formats that determine the Rust type. Servers validate all other formats.
pub const TYPED_FORMATS: [&str; 4] = ["date-time", "date", "int32", "int64"];

/// Code that typify writes for the schemas of `contract`.
pub(super) fn raw(contract: &Contract) -> Result<syn::File> {
    let mut settings = typify_impl::TypeSpaceSettings::default();
    settings.with_map_type(typify_impl::MapType::new("::std::collections::BTreeMap"));
    for (name, _) in CONSTANTS {
        settings.with_replacement(name, format!("crate::support::{name}"), std::iter::empty());
    }
    let shown = TypifyNames::of(contract);
    let mut definitions: Vec<(String, schemars::schema::Schema)> = Vec::new();
    for (name, _) in CONSTANTS {
        definitions.push((name.to_owned(), schema(&json!({ "type": "boolean" }), name)?));
    }
    for (name, value) in &contract.schemas {
        let pointer = format!("{SCHEMA_PREFIX}{name}");
        definitions.push((pascal(name), schema(&shown.view(value), &pointer)?));
    }
    let file = &contract.file_name;
    let tokens = match typify(&settings, definitions.clone()) {
        Ok(tokens) => tokens,
        Err(problem) => {
            let at = find_failing_schema(contract, &settings, &definitions);
            return Err(anyhow!("{file}: {at}: cannot express this schema as a Rust type: {problem}"));
        }
    };
    syn::parse2(tokens).with_context(|| format!("{file}: typify wrote code that does not parse"))
}

fn typify(
    settings: &typify_impl::TypeSpaceSettings,
    definitions: Vec<(String, schemars::schema::Schema)>,
) -> Result<proc_macro2::TokenStream, String> {
    crate::catch_panic::catch_panic(|| {
        let mut space = typify_impl::TypeSpace::new(settings);
        space.add_ref_types(definitions).map_err(|error| error.to_string())?;
        Ok(space.to_stream())
    })?
}

/// The smallest schema that fails together with the schemas that it refers to.
fn find_failing_schema(
    contract: &Contract,
    settings: &typify_impl::TypeSpaceSettings,
    definitions: &[(String, schemars::schema::Schema)],
) -> String {
    let mut all: Vec<(usize, &String)> = Vec::new();
    for (name, value) in &contract.schemas {
        let mut reach: BTreeSet<String> = contract.reach(value).iter().map(|name| pascal(name)).collect();
        reach.insert(pascal(name));
        reach.extend(CONSTANTS.iter().map(|(name, _)| (*name).to_owned()));
        let some = definitions.iter().filter(|(name, _)| reach.contains(name)).cloned().collect();
        if typify(settings, some).is_err() {
            all.push((reach.len(), name));
        }
    }
    let name = all.into_iter().min().map(|(_, name)| name.as_str());
    let inline = name.and_then(|name| contract.hoisted.get(name).cloned());
    inline.unwrap_or_else(|| format!("{SCHEMA_PREFIX}{}", escape(name.unwrap_or_default())))
}

const CONSTANTS: [(&str, bool); 2] = [("ConstTrue", true), ("ConstFalse", false)];

fn schema(value: &Value, pointer: &str) -> Result<schemars::schema::Schema> {
    serde_json::from_value(value.clone()).with_context(|| format!("{pointer}: cannot read this schema"))
}

/// Names that typify is given instead of the contract's names.
struct TypifyNames {
    /// For each enum, the replacement of each of its values.
    values: BTreeMap<String, BTreeMap<String, String>>,
}

impl TypifyNames {
    fn of(contract: &Contract) -> Self {
        let mut values = BTreeMap::new();
        for (name, schema) in &contract.schemas {
            let Some(names) = variants(schema) else { continue };
            let own = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
            values.insert(format!("{SCHEMA_PREFIX}{name}"), own.map(str::to_owned).zip(names).collect());
        }
        Self { values }
    }

    /// The default of a property, with replaced enum values.
    fn default(&self, member: &Map<String, Value>, default: &Value) -> Value {
        let branches = ["allOf", "anyOf", "oneOf"].iter().filter_map(|keyword| member.get(*keyword));
        let branches = branches.filter_map(Value::as_array).flatten().filter_map(|branch| branch.get("$ref"));
        let shown = branches
            .chain(member.get("$ref"))
            .filter_map(|reference| self.values.get(reference.as_str()?)?.get(default.as_str()?))
            .next();
        shown.map_or_else(|| default.clone(), |shown| json!(shown))
    }

    /// The schema for typify: types only, no constraints, draft 7 references.
    fn view(&self, value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                if let Some(constant) = object.get("const") {
                    for (name, value) in CONSTANTS {
                        if *constant == Value::Bool(value) {
                            return json!({ "$ref": format!("#/definitions/{name}") });
                        }
                    }
                }
                let mut out = Map::new();
                for (key, child) in object {
                    match key.as_str() {
                        "$ref" => {
                            let name =
                                child.as_str().and_then(|reference| reference.strip_prefix(SCHEMA_PREFIX));
                            let reference = name.map_or_else(
                                || child.clone(),
                                |name| json!(format!("#/definitions/{}", pascal(name))),
                            );
                            out.insert(key.clone(), reference);
                        }
                        "properties" => {
                            let mut properties = Map::new();
                            let required = object.get("required").and_then(Value::as_array);
                            let seen_as = members(value);
                            for (name, child) in child.as_object().into_iter().flatten() {
                                let optional = !required.is_some_and(|all| all.contains(&json!(name)));
                                let mut seen = self.view(child);
                                if optional
                                    && seen.get("default").is_none()
                                    && (seen["type"] == "array" || seen["type"] == "object")
                                {
                                    // Otherwise typify skips an empty list: absent and [] differ.
                                    seen["type"] = json!([seen["type"].clone(), "null"]);
                                }
                                let name = seen_as.get(name).unwrap_or(name);
                                properties.insert(name.clone(), seen);
                            }
                            out.insert(key.clone(), Value::Object(properties));
                        }
                        "format" if child.as_str().is_some_and(|format| TYPED_FORMATS.contains(&format)) => {
                            out.insert(key.clone(), child.clone());
                        }
                        "additionalProperties" if *child == Value::Bool(false) => {}
                        "additionalProperties"
                            if *child == Value::Bool(true) && object.contains_key("properties") =>
                        {
                            // typify treats `true` like an absent keyword and would drop the properties.
                            out.insert(key.clone(), json!({}));
                        }
                        "required" => {
                            let seen_as = members(value);
                            let names = child.as_array().into_iter().flatten().map(|name| {
                                name.as_str()
                                    .and_then(|name| seen_as.get(name))
                                    .map_or(name.clone(), |seen| json!(seen))
                            });
                            out.insert(key.clone(), names.collect());
                        }
                        "enum" => {
                            out.insert(
                                key.clone(),
                                variants(value).map_or_else(|| child.clone(), |names| json!(names)),
                            );
                        }
                        "default" => {
                            out.insert(key.clone(), self.default(object, child));
                        }
                        "type" | "const" => {
                            out.insert(key.clone(), child.clone());
                        }
                        "anyOf" | "oneOf" if requires_only(child) => {}
                        "anyOf" | "oneOf" | "allOf" => {
                            let branches = child
                                .as_array()
                                .into_iter()
                                .flatten()
                                .map(|branch| self.view(branch))
                                .collect();
                            // typify flattens `anyOf` into a struct of options, which loses values that are not
                            // objects. `oneOf` becomes an enum of the alternatives.
                            let keyword = if key == "anyOf" { "oneOf" } else { key.as_str() };
                            out.insert(keyword.to_owned(), Value::Array(branches));
                        }
                        "items" | "additionalProperties" => {
                            out.insert(key.clone(), self.view(child));
                        }
                        "title" => {
                            out.insert(key.clone(), child.clone());
                        }
                        _ => {}
                    }
                }
                if out.contains_key("$ref") && out.len() > 1 {
                    let reference = out.remove("$ref").unwrap_or_default();
                    out.insert("allOf".into(), json!([{ "$ref": reference }]));
                }
                Value::Object(out)
            }
            other => other.clone(),
        }
    }
}

/// Replacement names of properties for which typify would use the same field name.
pub(super) fn members(schema: &Value) -> BTreeMap<String, String> {
    let names: Vec<&String> =
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
    let field = |name: &str| plain(name).to_snake_case();
    let mut taken: BTreeSet<String> = names.iter().map(|name| field(name)).collect();
    let mut seen = BTreeSet::new();
    let mut out = BTreeMap::new();
    for name in names {
        let base = field(name);
        if !base.is_empty() && seen.insert(base.clone()) {
            continue;
        }
        let base = if base.is_empty() { "unnamed".to_owned() } else { base };
        let free =
            (2..).map(|number: usize| format!("{base}_{number}")).find(|free| taken.insert(field(free)));
        out.extend(free.map(|free| (name.clone(), free)));
    }
    out
}

/// Replacement names of enum values for which typify would use the same variant; `None` if there are none.
pub(super) fn variants(schema: &Value) -> Option<Vec<String>> {
    let values: Option<Vec<&str>> =
        schema["enum"].as_array()?.iter().filter(|value| !value.is_null()).map(Value::as_str).collect();
    let values = values?;
    let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    let usual: Vec<String> = values.iter().map(|value| plain(value).to_pascal_case()).collect();
    if distinct(&usual) && usual.iter().filter(|name| name.is_empty()).count() == 0 {
        return None;
    }
    let mut taken = BTreeSet::new();
    let mut out = Vec::new();
    for value in values {
        let base = variant_name(value);
        let free = std::iter::once(base.clone())
            .chain((2..).map(|number: usize| format!("{base}{number}")))
            .find(|free| taken.insert(free.clone()));
        out.extend(free);
    }
    Some(out)
}

/// A name as typify normalizes it before it splits it into words.
fn plain(name: &str) -> String {
    name.replace('\'', "").replace(|one: char| !one.is_alphanumeric() && one != '_', "-")
}

/// A variant name with symbols as words: `>=` is `GreaterEqual`.
fn variant_name(value: &str) -> String {
    let signs = [
        ('+', "plus"),
        ('-', "minus"),
        ('<', "less"),
        ('>', "greater"),
        ('=', "equal"),
        ('!', "not"),
        ('*', "star"),
        ('/', "slash"),
        ('%', "percent"),
        ('#', "hash"),
        ('.', "dot"),
        ('$', "dollar"),
        ('&', "and"),
        ('|', "or"),
    ];
    let mut text = String::new();
    for (index, one) in value.chars().enumerate() {
        let sign = signs.iter().find(|(sign, _)| *sign == one).map(|(_, word)| *word);
        // A hyphen between letters only joins them.
        let joins = one == '-' && index > 0 && value.chars().nth(index + 1).is_some();
        match sign {
            Some(word) if !joins => text.push_str(&format!(" {word} ")),
            _ if one.is_alphanumeric() => text.push(one),
            _ => text.push(' '),
        }
    }
    let name = pascal(&text);
    match name.as_str() {
        "" => "Empty".into(),
        "Self" => "SelfValue".into(),
        _ => name,
    }
}

/// Whether every branch only lists required properties, which constrains presence and not the type.
pub fn requires_only(branches: &Value) -> bool {
    branches.as_array().is_some_and(|branches| {
        branches.iter().all(|branch| {
            branch.as_object().is_some_and(|object| {
                object.contains_key("required")
                    && object
                        .keys()
                        .all(|key| matches!(key.as_str(), "required" | "type" | "description" | "title"))
            })
        })
    })
}
