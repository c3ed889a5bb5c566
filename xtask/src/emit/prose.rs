//! Documentation sentences for generated code: the contract's descriptions as Markdown, and what names, types
//! and constraints of a schema say where it has none.

use serde_json::Value;

use crate::name::{SCHEMA_PREFIX, is_nullable, pascal, snake};

/// Whether a value may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A request must have it.
    Required,
    /// Always there in responses; nothing needs to be said.
    Present,
    /// May be absent.
    Optional,
}

/// A description of the contract as lines of rustdoc. Brackets are escaped, so that nothing becomes a link or
/// an HTML tag by accident.
pub fn description(text: &str) -> Vec<String> {
    text.trim().lines().map(|line| escape(line.trim_end())).collect()
}

/// Escapes `[`, `]`, `<` and `>` outside code spans.
fn escape(line: &str) -> String {
    // An unbalanced backtick starts no code span.
    let has_code = line.matches('`').count().is_multiple_of(2);
    let mut in_code = false;
    let mut out = String::with_capacity(line.len());
    for character in line.chars() {
        in_code ^= has_code && character == '`';
        if !in_code && matches!(character, '[' | ']' | '<' | '>') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Paragraphs about a property: its description, or a sentence made from its name and type, then its
/// constraints.
pub fn property(name: &str, schema: &Value, presence: Presence) -> Vec<String> {
    if let Some(constant) = schema.get("const") {
        let mut lines = vec![format!("Always `{constant}`.")];
        if let Some(text) = schema.get("description").and_then(Value::as_str) {
            lines.push(String::new());
            lines.extend(description(text));
        }
        return lines;
    }
    let constraints = constraints(schema, presence);
    match schema.get("description").and_then(Value::as_str).filter(|text| !text.trim().is_empty()) {
        Some(text) => {
            let mut lines = description(text);
            if !constraints.is_empty() {
                lines.push(String::new());
                lines.push(constraints.join(" "));
            }
            lines
        }
        None => {
            let meaning = meaning(name, schema);
            // `Logo URL. A URL.` says it twice.
            let repeated = |sentence: &String| match sentence.as_str() {
                "A URL." => meaning.contains("URL") || meaning.contains("URI"),
                "An e-mail address." => meaning.to_lowercase().contains("e-mail"),
                _ => false,
            };
            let constraints: Vec<String> =
                constraints.into_iter().filter(|sentence| !repeated(sentence)).collect();
            let mut sentences = vec![meaning];
            sentences.extend(constraints);
            vec![sentences.join(" ")]
        }
    }
}

/// What a name and a type say about a property without a description.
pub fn meaning(name: &str, schema: &Value) -> String {
    let label = label(name);
    let words: Vec<String> = words(name).split(' ').map(str::to_owned).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(target) = reference(schema) {
        return format!("{label}, as [`{}`].", pascal(target));
    }
    let kind = kind(schema);
    match (kind, schema["format"].as_str(), words.as_slice()) {
        (Some("array"), ..) => format!("List of {}.", words.join(" ")),
        (Some("boolean"), _, words) => flag(words).unwrap_or_else(|| format!("{label}: `true` or `false`.")),
        (_, Some("date-time"), [event @ .., "at"]) if !event.is_empty() => time(event),
        (_, Some("date-time"), _) => format!("{label} (UTC)."),
        (Some("string"), _, ["ID"]) => "Unique identifier.".into(),
        (Some("string"), _, [owner @ .., "ID"]) if !matches!(owner, ["external"] | [_, "by", ..]) => {
            format!("Identifier of the {}.", owner.join(" "))
        }
        (Some("integer" | "number"), _, [what @ .., unit]) if !what.is_empty() => match unit_name(unit) {
            Some(unit) => format!("{}, in {unit}.", capitalised(&what.join(" "))),
            None => format!("{label}."),
        },
        _ => format!("{label}."),
    }
}

fn flag(words: &[&str]) -> Option<String> {
    Some(match words {
        ["is", state] if is_state(state) => format!("Whether it is {state}."),
        ["is", ..] => return None,
        ["has", "more"] => "Whether there are more.".into(),
        ["has", rest @ ..] if !rest.is_empty() => format!("Whether it has {}.", rest.join(" ")),
        ["can", rest @ ..] if !rest.is_empty() => format!("Whether it can {}.", rest.join(" ")),
        ["require" | "requires", rest @ ..] if !rest.is_empty() => {
            format!("Whether {} is required.", rest.join(" "))
        }
        [rest @ .., state] if is_state(state) => match rest {
            [] => format!("Whether it is {state}."),
            rest => format!("Whether {} is {state}.", rest.join(" ")),
        },
        _ => return None,
    })
}

fn is_state(word: &str) -> bool {
    word.ends_with("ed") || matches!(word, "active" | "available" | "online" | "ready" | "sensitive")
}

/// `expires` → when it expires; `last used` → when it was last used; `last activity` → time of it.
fn time(event: &[&str]) -> String {
    let last = event.last().copied().unwrap_or_default();
    let text = event.join(" ");
    if matches!(last, "expires" | "starts" | "ends" | "begins") {
        format!("When it {text} (UTC).")
    } else if last.ends_with("ed") || matches!(last, "sent" | "read" | "seen" | "run") {
        format!("When it was {text} (UTC).")
    } else {
        format!("Time of the {text} (UTC).")
    }
}

fn unit_name(word: &str) -> Option<&'static str> {
    Some(match word {
        "ms" | "millis" | "milliseconds" => "milliseconds",
        "seconds" => "seconds",
        "minutes" => "minutes",
        "hours" => "hours",
        "days" => "days",
        "bytes" => "bytes",
        "cents" => "cents",
        "percent" => "percent",
        "USD" => "US dollars",
        _ => return None,
    })
}

/// The component that a property refers to, directly or with null as the alternative.
fn reference(schema: &Value) -> Option<&str> {
    if let Some(target) = schema.get("$ref") {
        return target.as_str()?.strip_prefix(SCHEMA_PREFIX);
    }
    ["anyOf", "oneOf", "allOf"].iter().find_map(|keyword| {
        let branches = schema.get(*keyword)?.as_array()?;
        let mut others = branches.iter().filter(|branch| branch["type"] != "null");
        let (Some(one), None) = (others.next(), others.next()) else { return None };
        one["$ref"].as_str()?.strip_prefix(SCHEMA_PREFIX)
    })
}

fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    }
}

/// What a schema says about its values, a sentence each.
pub fn constraints(schema: &Value, presence: Presence) -> Vec<String> {
    let mut out = Vec::new();
    let default = schema.get("default").filter(|default| !default.is_null());
    match presence {
        Presence::Required => out.push("Required.".into()),
        Presence::Optional if default.is_none() => out.push("Optional.".into()),
        _ => {}
    }
    if is_nullable(schema) {
        out.push("May be `null`.".into());
    }
    if let Some(sentence) = format(schema) {
        out.push(sentence);
    }
    out.extend(bounds(schema));
    if let Some(items) = schema.get("items") {
        for sentence in format(items).into_iter().chain(bounds(items)) {
            out.push(format!("Each item: {}", lower_first(&sentence)));
        }
    }
    if let Some(default) = default {
        out.push(format!("Default: `{default}`."));
    }
    let example = schema.get("example").or_else(|| schema.get("examples").and_then(|all| all.get(0)));
    if let Some(example) = example {
        out.push(format!("Example: `{example}`."));
    }
    if schema.get("deprecated") == Some(&Value::Bool(true)) {
        out.push("Deprecated.".into());
    }
    out
}

fn format(schema: &Value) -> Option<String> {
    Some(match schema.get("format")?.as_str()? {
        "date" => "Calendar date.".into(),
        "date-time" | "int32" | "int64" | "double" | "float" => return None,
        "password" => "Secret.".into(),
        "email" => "An e-mail address.".into(),
        "uri" | "url" => "A URL.".into(),
        "uuid" => "A UUID.".into(),
        other => format!("Format: `{other}`."),
    })
}

fn bounds(schema: &Value) -> Vec<String> {
    let mut out = Vec::new();
    let limit = |key: &str| schema.get(key).and_then(Value::as_u64);
    out.extend(count(limit("minLength"), limit("maxLength"), "character"));
    let number = |key: &str| schema.get(key).filter(|value| value.is_number()).map(Value::to_string);
    match (number("minimum"), number("maximum")) {
        (Some(low), Some(high)) => out.push(format!("From {low} to {high}.")),
        (Some(low), None) => out.push(format!("At least {low}.")),
        (None, Some(high)) => out.push(format!("At most {high}.")),
        (None, None) => {}
    }
    if let Some(low) = number("exclusiveMinimum") {
        out.push(format!("Greater than {low}."));
    }
    if let Some(high) = number("exclusiveMaximum") {
        out.push(format!("Less than {high}."));
    }
    if let Some(step) = number("multipleOf") {
        out.push(format!("A multiple of {step}."));
    }
    out.extend(count(limit("minItems"), limit("maxItems"), "item"));
    out.extend(count(limit("minProperties"), limit("maxProperties"), "property"));
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        out.push(format!("Must match `{pattern}`."));
    }
    out
}

/// `1 to 64 characters.`
fn count(low: Option<u64>, high: Option<u64>, noun: &str) -> Option<String> {
    let plural = |number: u64| match (number, noun.strip_suffix('y')) {
        (1, _) => noun.to_owned(),
        (_, Some(stem)) => format!("{stem}ies"),
        (_, None) => format!("{noun}s"),
    };
    Some(match (low.filter(|low| *low > 0), high) {
        (Some(low), Some(high)) if low == high => format!("Exactly {low} {}.", plural(low)),
        (Some(low), Some(high)) => format!("{low} to {high} {}.", plural(high)),
        (Some(low), None) => format!("At least {low} {}.", plural(low)),
        (None, Some(high)) => format!("At most {high} {}.", plural(high)),
        (None, None) => return None,
    })
}

/// `lastUsedAt` → `Last used at`.
pub fn label(name: &str) -> String {
    capitalised(&words(name))
}

/// `lastUsedAt` → `last used at`.
pub fn words(name: &str) -> String {
    const SPELLINGS: [(&str, &str); 20] = [
        ("ai", "AI"),
        ("api", "API"),
        ("avg", "average"),
        ("crm", "CRM"),
        ("csv", "CSV"),
        ("email", "e-mail"),
        ("id", "ID"),
        ("ids", "IDs"),
        ("ip", "IP"),
        ("jwk", "JWK"),
        ("jwks", "JWKS"),
        ("max", "maximum"),
        ("min", "minimum"),
        ("oauth", "OAuth"),
        ("pkce", "PKCE"),
        ("sdk", "SDK"),
        ("uri", "URI"),
        ("uris", "URIs"),
        ("url", "URL"),
        ("usd", "USD"),
    ];
    let spelling = |word: &str| {
        SPELLINGS
            .iter()
            .find(|(plain, _)| *plain == word)
            .map_or_else(|| word.to_owned(), |(_, usual)| (*usual).to_owned())
    };
    snake(name).split('_').map(spelling).collect::<Vec<_>>().join(" ")
}

/// `a`, `b` and 3 more.
pub fn list(all: &[String], noun: &str) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if all.len() <= 4 => format!("{} and {last}", first.join(", ")),
        many => format!("{} and {} more {noun}", many[..3].join(", "), many.len() - 3),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str, schema: Value, presence: Presence) -> String {
        property(name, &schema, presence).join("\n")
    }

    #[test]
    fn undescribed_properties_state_type_and_constraints() {
        let text = json!({ "type": "string", "minLength": 1, "maxLength": 64 });
        assert_eq!(
            line("agentId", text.clone(), Presence::Optional),
            "Identifier of the agent. Optional. 1 to 64 characters."
        );
        assert_eq!(line("name", text, Presence::Required), "Name. Required. 1 to 64 characters.");
        let time = json!({ "type": ["string", "null"], "format": "date-time" });
        assert_eq!(
            line("lastUsedAt", time.clone(), Presence::Optional),
            "When it was last used (UTC). Optional. May be `null`."
        );
        assert_eq!(
            line("expiresAt", json!({ "type": "string", "format": "date-time" }), Presence::Present),
            "When it expires (UTC)."
        );
        assert_eq!(
            line("avgDurationSeconds", json!({ "type": "integer", "minimum": 0 }), Presence::Present),
            "Average duration, in seconds. At least 0."
        );
        assert_eq!(
            line("success", json!({ "type": "boolean", "const": true }), Presence::Required),
            "Always `true`."
        );
        assert_eq!(
            line("isActive", json!({ "type": "boolean" }), Presence::Present),
            "Whether it is active."
        );
        assert_eq!(
            line(
                "tags",
                json!({ "type": "array", "maxItems": 50, "items": { "type": "string", "minLength": 1, "maxLength": 64 } }),
                Presence::Optional
            ),
            "List of tags. Optional. At most 50 items. Each item: 1 to 64 characters."
        );
        assert_eq!(
            line(
                "role",
                json!({ "anyOf": [{ "$ref": "#/components/schemas/AdminRole" }, { "type": "null" }] }),
                Presence::Optional
            ),
            "Role, as [`AdminRole`]. Optional. May be `null`."
        );
    }

    #[test]
    fn described_properties_keep_their_description() {
        let schema = json!({ "type": "integer", "description": "Seconds until it expires.", "default": 900 });
        assert_eq!(
            line("expiresIn", schema, Presence::Optional),
            "Seconds until it expires.\n\nDefault: `900`."
        );
    }

    #[test]
    fn brackets_are_escaped_outside_code() {
        assert_eq!(description("a [b] <c> `d[0]`"), ["a \\[b\\] \\<c\\> `d[0]`"]);
        assert_eq!(description("` [b]"), ["` \\[b\\]"]);
    }
}
