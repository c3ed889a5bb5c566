//! Invalid cases of one schema: for each keyword, a value that breaks it and, if possible, nothing else. There may be
//! several candidates; `walk` keeps the first that does.

use serde_json::{Map, Value, json};

use super::cases::Cases;
use super::shape::{Alternatives, Choice, JsonType, Shape, escape};
use super::strategy::minimal;
use super::{Document, text};

/// Longer texts are not generated.
const MAX_MUTANT_LENGTH: usize = 1_000_000;

/// Longer lists are not generated.
const MAX_MUTANT_ITEMS: usize = 10_000;

/// Keywords that assert nothing by themselves.
const ANNOTATIONS: [&str; 35] = [
    "$ref",
    "$id",
    "$schema",
    "$anchor",
    "$defs",
    "$comment",
    "definitions",
    "allOf",
    "anyOf",
    "oneOf",
    "properties",
    "items",
    "title",
    "description",
    "default",
    "example",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "discriminator",
    "externalDocs",
    "xml",
    "nullable",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "then",
    "else",
    "minContains",
    "maxContains",
    "$vocabulary",
    "$dynamicAnchor",
    "summary",
    "$recursiveAnchor",
];

/// Adds the mutants of `shape`. `base` is a valid value of it.
pub fn cases(document: &Document, shape: &Shape<'_>, base: &Value, out: &mut Cases) {
    for part in &shape.parts {
        for (keyword, rule) in part.keywords {
            if ANNOTATIONS.contains(&keyword.as_str()) || keyword.starts_with("x-") {
                continue;
            }
            let rule = Keyword {
                document,
                shape,
                base,
                keyword,
                rule,
                pointer: format!("{}/{}", part.pointer, escape(keyword)),
            };
            let before = (out.cases.len(), out.skipped.len());
            rule.add_mutants(out);
            if before == (out.cases.len(), out.skipped.len()) {
                rule.skip(out, "breaking this keyword is not supported");
            }
        }
    }
}

/// One keyword of a schema.
struct Keyword<'a, 'd> {
    document: &'d Document,
    shape: &'a Shape<'d>,
    base: &'a Value,
    keyword: &'a str,
    rule: &'a Value,
    pointer: String,
}

impl Keyword<'_, '_> {
    fn add(&self, out: &mut Cases, what: impl Into<String>, value: Value) {
        out.add(self.keyword, self.pointer.clone(), what, value);
    }

    fn skip(&self, out: &mut Cases, reason: &str) {
        out.skip(self.keyword, self.pointer.clone(), reason);
    }

    fn add_mutants(&self, out: &mut Cases) {
        match self.keyword {
            "type" => self.kind(out),
            "const" => self.constant(out),
            "enum" => self.values(out),
            "format" => self.format(out),
            "minLength" | "maxLength" => self.length(out),
            "pattern" => self.pattern(out),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
                self.number(out)
            }
            "minItems" | "maxItems" | "uniqueItems" | "contains" => self.list(out),
            "required" => self.required(out),
            "additionalProperties" | "unevaluatedProperties" => self.extra(out),
            "minProperties" | "maxProperties" | "dependentRequired" | "propertyNames" => self.members(out),
            "not" => match minimal::member(self.document, std::slice::from_ref(&self.pointer), 0) {
                Ok(value) => self.add(out, "a value that is excluded", merged(self.base, value)),
                Err(error) => self.skip(out, &error.problem),
            },
            _ => {}
        }
    }

    /// Skips the keyword unless the value has the type that it applies to. Returns whether it was skipped.
    fn skip_unless(&self, out: &mut Cases, holds: bool) -> bool {
        if !holds {
            self.skip(out, "the keyword does not apply to values of this type");
        }
        !holds
    }

    fn kind(&self, out: &mut Cases) {
        let names = match self.rule {
            Value::Array(names) => names.clone(),
            name => vec![name.clone()],
        };
        let allowed = |value: &Value| {
            let part = Map::from_iter([("type".to_owned(), Value::Array(names.clone()))]);
            let part = super::shape::Part { pointer: String::new(), keywords: &part };
            part.types().unwrap_or_default().iter().any(|kind| kind.holds(value))
        };
        let wrong = match self.base {
            Value::String(_) => [json!(12345), json!(true), json!({}), json!([])],
            Value::Number(_) => [json!("12"), json!(true), json!({}), json!([])],
            Value::Bool(_) => [json!("true"), json!(1), json!({}), json!([])],
            Value::Array(_) => [json!({}), json!("[]"), json!(1), json!(true)],
            Value::Object(_) => [json!([]), json!("{}"), json!(1), json!(true)],
            Value::Null => [json!("null"), json!(0), json!({}), json!(false)],
        };
        if let Some(value) = wrong.into_iter().find(|value| !allowed(value)) {
            self.add(out, format!("wrong type: {value} instead of {}", join_names(&names)), value);
        }
        if !allowed(&Value::Null) {
            self.add(out, "null where null is not allowed", Value::Null);
        }
        if self.base.is_number() && !allowed(&json!(1.5)) {
            let near = self.base.as_f64().unwrap_or_default();
            for value in [near + 0.5, near - 0.5] {
                self.add(out, "a fraction instead of an integer", json!(value));
            }
        }
    }

    fn constant(&self, out: &mut Cases) {
        let value = match self.rule {
            Value::Bool(value) => json!(!value),
            Value::String(text) => json!(format!("{text}-other")),
            Value::Number(number) => json!(number.as_f64().unwrap_or_default() + 1.0),
            Value::Null => json!("null"),
            _ => Value::Null,
        };
        self.add(out, format!("{value} instead of the constant {}", self.rule), value);
    }

    fn values(&self, out: &mut Cases) {
        let listed = self.rule.as_array().map(Vec::as_slice).unwrap_or_default();
        if listed.iter().any(Value::is_string) {
            self.add(out, "unknown value", json!("value-that-is-not-listed"));
            let shouted = listed.iter().filter_map(Value::as_str).map(|text| {
                let upper = text.to_uppercase();
                json!(if upper == text { text.to_lowercase() } else { upper })
            });
            if let Some(value) = shouted.into_iter().find(|value| !listed.contains(value)) {
                self.add(out, "a listed value in different case", value);
            }
        } else if listed.iter().any(Value::is_number) {
            let most = listed.iter().filter_map(Value::as_f64).fold(f64::MIN, f64::max);
            self.add(out, "unknown value", json!(most as i64 + 1));
        } else {
            for value in [json!(true), json!(false), Value::Null, json!("value-that-is-not-listed")] {
                self.add(out, "unknown value", value);
            }
        }
    }

    fn format(&self, out: &mut Cases) {
        if self.skip_unless(out, self.base.is_string() || self.base.is_number()) {
            return;
        }
        let format = self.rule.as_str().unwrap_or_default();
        let wrong = text::invalid_samples(format);
        if wrong.is_empty() {
            return self.skip(out, "the format asserts nothing");
        }
        for text in wrong {
            self.add(out, format!("invalid {format}: {text}"), json!(text));
        }
    }

    fn length(&self, out: &mut Cases) {
        if self.skip_unless(out, self.base.is_string()) {
            return;
        }
        let limit = self.rule.as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
        let (length, what) = match (self.keyword, limit) {
            ("minLength", 0) => return self.skip(out, "there is nothing shorter"),
            ("minLength", limit) => (limit - 1, "too short"),
            (_, limit) if limit >= MAX_MUTANT_LENGTH => return self.skip(out, "too long to test"),
            (_, limit) => (limit + 1, "too long"),
        };
        let what = format!("{what}: {length} where the limit is {limit}");
        // First a text that keeps the format, if one of this length exists.
        for format in [self.shape.text_of("format"), None] {
            if let Some(text) = text::of_length(format, length) {
                self.add(out, what.clone(), Value::String(text));
            }
        }
    }

    fn pattern(&self, out: &mut Cases) {
        if self.skip_unless(out, self.base.is_string()) {
            return;
        }
        let pattern = self.rule.as_str().unwrap_or_default();
        let length = self.base.as_str().map_or(0, |text| text.chars().count());
        let candidates = ["!", "~", " ", "é", "0", "a", "A"].map(|character| character.repeat(length.max(1)));
        for text in candidates.into_iter().filter(|text| !text::matches(pattern, text)) {
            self.add(out, format!("does not match {pattern}"), Value::String(text));
        }
    }

    fn number(&self, out: &mut Cases) {
        if self.skip_unless(out, self.base.is_number()) {
            return;
        }
        let limit = self.rule.as_f64().unwrap_or_default();
        let whole = self.shape.types().contains(&JsonType::Integer);
        let step = self.shape.step().unwrap_or(if whole { 1.0 } else { (limit.abs() * 0.01).max(0.01) });
        let (values, what) = match self.keyword {
            "minimum" => ([(limit / step).ceil() * step - step, limit - step], "too small"),
            "maximum" => ([(limit / step).floor() * step + step, limit + step], "too large"),
            "exclusiveMinimum" => ([limit, limit.floor()], "too small"),
            "exclusiveMaximum" => ([limit, limit.ceil()], "too large"),
            _ => ([limit * 2.0 + if whole { 1.0 } else { limit / 2.0 }, limit / 2.0], "not a multiple"),
        };
        for value in values {
            let value = if whole && value.fract() == 0.0 { json!(value as i64) } else { json!(value) };
            self.add(out, format!("{what}: the limit is {}", self.rule), value);
        }
    }

    fn list(&self, out: &mut Cases) {
        let Value::Array(items) = self.base else {
            self.skip_unless(out, false);
            return;
        };
        let limit = self.rule.as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
        let grown = |count: usize| {
            let mut list = items.clone();
            for index in list.len()..count {
                list.push(minimal::item(self.document, self.shape, &list, index, 0)?);
            }
            Ok::<_, super::Error>(list)
        };
        match self.keyword {
            "minItems" if limit == 0 => self.skip(out, "there is nothing shorter"),
            "minItems" => {
                let fewer = items.iter().take(limit - 1).cloned().collect::<Vec<_>>();
                self.add(
                    out,
                    format!("too few items: {} where the limit is {limit}", limit - 1),
                    Value::Array(fewer),
                );
            }
            "maxItems" if limit >= MAX_MUTANT_ITEMS => self.skip(out, "too many items to test"),
            "maxItems" => match grown(limit + 1) {
                Ok(list) => {
                    self.add(
                        out,
                        format!("too many items: {} where the limit is {limit}", limit + 1),
                        Value::Array(list),
                    );
                }
                Err(error) => self.skip(out, &error.problem),
            },
            "uniqueItems" if *self.rule == Value::Bool(false) => self.skip(out, "it asserts nothing"),
            "uniqueItems" => match grown(items.len().max(1)) {
                Ok(mut list) => {
                    if list.len() > 1 {
                        list.pop();
                    }
                    list.push(list[0].clone());
                    self.add(out, "duplicate item", Value::Array(list));
                }
                Err(error) => self.skip(out, &error.problem),
            },
            _ => self.add(out, "no item that matches", json!([])),
        }
    }

    fn required(&self, out: &mut Cases) {
        let Value::Object(object) = self.base else {
            self.skip_unless(out, false);
            return;
        };
        let names: Vec<&str> = self.rule.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if names.is_empty() {
            return self.skip(out, "it requires nothing");
        }
        for name in names {
            let mut without = object.clone();
            without.shift_remove(name);
            self.add(out, format!("{name} is missing"), Value::Object(without));
        }
    }

    fn extra(&self, out: &mut Cases) {
        let Value::Object(object) = self.base else {
            self.skip_unless(out, false);
            return;
        };
        if *self.rule != Value::Bool(false) {
            return self.skip(out, "additional members are allowed");
        }
        let mut more = object.clone();
        more.insert("memberThatIsNotNamed".to_owned(), json!(1));
        self.add(out, "additional member", Value::Object(more));
    }

    fn members(&self, out: &mut Cases) {
        let Value::Object(object) = self.base else {
            self.skip_unless(out, false);
            return;
        };
        let limit = self.rule.as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or_default();
        match self.keyword {
            "minProperties" if limit == 0 => self.skip(out, "there is nothing with fewer members"),
            "minProperties" => {
                let required = self.shape.required();
                let mut fewer = object.clone();
                while fewer.len() >= limit {
                    let Some(name) =
                        fewer.keys().rev().find(|name| !required.contains(&name.as_str())).cloned()
                    else {
                        break;
                    };
                    fewer.shift_remove(&name);
                }
                self.add(out, "too few members", Value::Object(fewer));
            }
            "maxProperties" => {
                let mut more = object.clone();
                let named = self.shape.members();
                let names = named
                    .keys()
                    .map(|name| (*name).to_owned())
                    .chain((0..=limit).map(|index| format!("extra{index}")));
                for name in names {
                    if more.len() <= limit && !more.contains_key(&name) {
                        let value = minimal::member(self.document, &self.shape.member(&name), 0)
                            .unwrap_or(Value::Null);
                        more.insert(name, value);
                    }
                }
                self.add(out, "too many members", Value::Object(more));
            }
            "dependentRequired" => {
                for (name, others) in self.rule.as_object().into_iter().flatten() {
                    for other in others.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        let mut changed = object.clone();
                        if let Ok(value) = minimal::member(self.document, &self.shape.member(name), 0) {
                            changed.insert(name.clone(), value);
                        }
                        changed.shift_remove(other);
                        self.add(out, format!("{name} without {other}"), Value::Object(changed));
                    }
                }
            }
            _ => {
                for name in ["", "A", "a", "0", "!", &"n".repeat(300)] {
                    let mut more = object.clone();
                    more.insert(name.to_owned(), Value::Null);
                    self.add(out, "a member with a forbidden name", Value::Object(more));
                }
            }
        }
    }
}

/// Adds values that match no branch of an `anyOf` or `oneOf`.
pub fn add_choice_mutants(
    document: &Document,
    place: &Alternatives<'_>,
    choice: &Choice<'_>,
    out: &mut Cases,
) {
    let what = "none of the alternatives";
    let required: Vec<&str> = choice
        .branches
        .iter()
        .flat_map(|branch| branch.get("required").and_then(Value::as_array).into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let plain = place.shapes.iter().find_map(|shape| minimal::of_shape(document, shape, 0).ok());
    if let Some(Value::Object(mut object)) = plain {
        for name in required {
            object.shift_remove(name);
        }
        out.add(choice.keyword, choice.pointer.clone(), what, Value::Object(object));
    }
    for value in [json!("none of these"), json!(7.25), json!(true), json!([]), json!({}), Value::Null] {
        out.add(choice.keyword, choice.pointer.clone(), what, value);
    }
}

/// Merges `value` into `base` if both are objects, so that required members stay.
fn merged(base: &Value, value: Value) -> Value {
    match (base, value) {
        (Value::Object(base), Value::Object(value)) => {
            let mut out = base.clone();
            out.extend(value);
            Value::Object(out)
        }
        (_, value) => value,
    }
}

fn join_names(names: &[Value]) -> String {
    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
}
