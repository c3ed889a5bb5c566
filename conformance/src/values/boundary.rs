//! Valid cases at the limits of one schema. `walk` drops those that the rest of the schema forbids.

use serde_json::{Map, Value, json};

use super::cases::Cases;
use super::shape::{JsonType, Shape};
use super::strategy::minimal;
use super::{Document, text};

/// Longer texts are not generated; they show nothing that a shorter one does not.
const MAX_BOUNDARY_LENGTH: usize = 100_000;

/// Longer lists are not generated.
const MAX_BOUNDARY_ITEMS: usize = 1_000;

/// Adds the boundary cases of `shape`. `base` is a valid value of it.
pub fn cases(document: &Document, shape: &Shape<'_>, base: &Value, out: &mut Cases) {
    let type_pointer = || {
        let stated = shape.occurrences("type").next().map(|(pointer, _)| pointer);
        stated
            .or_else(|| shape.parts.first().map(|part| part.pointer.clone()))
            .unwrap_or_else(|| "#".to_owned())
    };
    if let Some(values) = shape.listed_values() {
        let keyword = if shape.occurrences("enum").next().is_some() { "enum" } else { "const" };
        let pointer = shape.occurrences(keyword).next().map_or_else(type_pointer, |(pointer, _)| pointer);
        for value in values {
            out.add(keyword, pointer.clone(), format!("the value {value}"), value);
        }
        return;
    }
    if shape.types().contains(&JsonType::Null) {
        out.add("type", type_pointer(), "null", Value::Null);
    }
    match base {
        Value::Bool(_) => {
            for value in [true, false] {
                out.add("type", type_pointer(), value.to_string(), json!(value));
            }
        }
        Value::String(_) => texts(shape, out, type_pointer()),
        Value::Number(_) => numbers(shape, out),
        Value::Array(items) => lists(document, shape, items, out, type_pointer()),
        Value::Object(object) => objects(document, shape, object, out),
        Value::Null => {}
    }
}

/// The first of `keywords` that occurs, with its pointer.
fn tightest(shape: &Shape<'_>, keywords: [&'static str; 2]) -> Option<(&'static str, String)> {
    keywords.into_iter().find_map(|keyword| Some((keyword, shape.occurrences(keyword).next()?.0)))
}

fn texts(shape: &Shape<'_>, out: &mut Cases, type_pointer: String) {
    if shape.text_of("pattern").is_some() {
        return;
    }
    let format = shape.text_of("format");
    let least = shape.at_least("minLength");
    if let Some((pointer, _)) = shape.occurrences("minLength").next() {
        if let Some(text) = text::of_length(format, least) {
            out.add("minLength", pointer, format!("shortest: {least}"), Value::String(text));
        }
    } else if format.is_none_or(|format| text::invalid_samples(format).is_empty()) {
        out.add("type", type_pointer, "empty text", json!(""));
    }
    if let (Some((pointer, _)), Some(most)) =
        (shape.occurrences("maxLength").next(), shape.at_most("maxLength"))
    {
        match text::of_length(format, most) {
            Some(_) if most > MAX_BOUNDARY_LENGTH => out.skip("maxLength", pointer, "too long to test"),
            Some(text) => out.add("maxLength", pointer, format!("longest: {most}"), Value::String(text)),
            None => out.skip("maxLength", pointer, "no text with this format has that length"),
        }
    }
}

fn numbers(shape: &Shape<'_>, out: &mut Cases) {
    let whole = shape.types().contains(&JsonType::Integer);
    let ends = match whole {
        true => {
            let (low, high) = shape.integer_range();
            (json!(low), json!(high))
        }
        false => {
            let (low, high) = shape.number_range();
            (json!(low), json!(high))
        }
    };
    if let Some((keyword, pointer)) = tightest(shape, ["minimum", "exclusiveMinimum"]) {
        out.add(keyword, pointer, format!("smallest: {}", ends.0), ends.0);
    }
    if let Some((keyword, pointer)) = tightest(shape, ["maximum", "exclusiveMaximum"]) {
        out.add(keyword, pointer, format!("largest: {}", ends.1), ends.1);
    } else if whole && let Some((pointer, _)) = shape.occurrences("format").next() {
        out.add("format", pointer, format!("largest: {}", ends.1), ends.1);
    }
}

fn lists(document: &Document, shape: &Shape<'_>, items: &[Value], out: &mut Cases, type_pointer: String) {
    let sized = |count: usize| -> Option<Value> {
        let mut list: Vec<Value> = items.iter().take(count).cloned().collect();
        for index in list.len()..count {
            list.push(minimal::item(document, shape, &list, index, 0).ok()?);
        }
        Some(Value::Array(list))
    };
    let least = shape.at_least("minItems");
    match (shape.occurrences("minItems").next(), sized(least)) {
        (Some((pointer, _)), Some(list)) => out.add("minItems", pointer, format!("fewest: {least}"), list),
        (Some((pointer, _)), None) => out.skip("minItems", pointer, "there are not enough different items"),
        (None, _) => out.add("type", type_pointer, "empty list", json!([])),
    }
    if let (Some((pointer, _)), Some(most)) =
        (shape.occurrences("maxItems").next(), shape.at_most("maxItems"))
    {
        match if most > MAX_BOUNDARY_ITEMS { None } else { sized(most) } {
            Some(list) => out.add("maxItems", pointer, format!("most: {most}"), list),
            None => out.skip("maxItems", pointer, "too many items to test, or not enough different ones"),
        }
    }
}

fn objects(document: &Document, shape: &Shape<'_>, object: &Map<String, Value>, out: &mut Cases) {
    let required = shape.required();
    let Some((pointer, _)) = shape.occurrences("properties").next() else { return };
    let mut all = object.clone();
    for (name, pointers) in shape.members() {
        if required.contains(&name) {
            continue;
        }
        let mut changed = object.clone();
        if changed.shift_remove(name).is_some() {
            out.add("properties", pointer.clone(), format!("without {name}"), Value::Object(changed));
        } else if let Ok(value) = minimal::member(document, &pointers, 0) {
            changed.insert(name.to_owned(), value.clone());
            all.insert(name.to_owned(), value);
            out.add("properties", pointer.clone(), format!("with {name}"), Value::Object(changed));
        }
    }
    let only: Map<String, Value> = object
        .iter()
        .filter(|(name, _)| required.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    out.add("required", pointer.clone(), "required members only", Value::Object(only));
    out.add("properties", pointer, "all members", Value::Object(all));
}
