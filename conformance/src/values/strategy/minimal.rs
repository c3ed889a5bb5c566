//! The minimal value of a schema, from which boundary cases and mutants start. It is not random.

use serde_json::{Map, Value, json};

use super::super::shape::{AdditionalMembers, Alternatives, JsonType, Shape};
use super::super::{Document, Error, runner, text};

/// Maximum nesting depth. Deeper values come from schemas that require themselves.
const MAX_DEPTH: usize = 24;

/// The minimal value of the schema at `pointer`.
pub fn of(document: &Document, pointer: &str) -> Result<Value, Error> {
    member(document, &[pointer.to_owned()], 0)
}

/// The minimal value that satisfies the schemas at all `pointers`.
pub fn member(document: &Document, pointers: &[String], depth: usize) -> Result<Value, Error> {
    let name = || pointers.first().cloned().unwrap_or_else(|| "#".to_owned());
    if depth > MAX_DEPTH {
        return Err(Error::new(name(), "requires infinitely nested values"));
    }
    let place = Alternatives::new(document, pointers)?;
    let mut last = Error::new(name(), "no value satisfies it");
    for shape in &place.shapes {
        match of_shape(document, shape, depth) {
            Ok(value) => return Ok(value),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The minimal value of one shape.
pub fn of_shape(document: &Document, shape: &Shape<'_>, depth: usize) -> Result<Value, Error> {
    let pointer = || shape.parts.first().map_or_else(|| "#".to_owned(), |part| part.pointer.clone());
    if let Some(values) = shape.listed_values() {
        return values
            .iter()
            .find(|value| !value.is_null())
            .or(values.first())
            .cloned()
            .ok_or_else(|| Error::new(pointer(), "no value satisfies its enum and const"));
    }
    let types = shape.types();
    let kind = types.iter().find(|kind| **kind != JsonType::Null).or(types.first());
    let Some(kind) = kind else { return Err(Error::new(pointer(), "no value satisfies its types")) };
    let value = of_kind(document, shape, *kind, depth);
    // A recursive shape may still be null.
    if value.is_err() && types.contains(&JsonType::Null) { Ok(Value::Null) } else { value }
}

/// The minimal value of one shape and type.
pub fn of_kind(document: &Document, shape: &Shape<'_>, kind: JsonType, depth: usize) -> Result<Value, Error> {
    Ok(match kind {
        JsonType::Null => Value::Null,
        JsonType::Boolean => json!(false),
        JsonType::Integer => json!(integer(shape)),
        JsonType::Number => number(shape),
        JsonType::String => Value::String(string(shape)?),
        JsonType::Array => {
            let least = shape.at_least("minItems");
            let mut items: Vec<Value> = Vec::new();
            for index in 0..least {
                items.push(item(document, shape, &items, index, depth)?);
            }
            Value::Array(items)
        }
        JsonType::Object => {
            let mut out = Map::new();
            for name in shape.required() {
                out.insert(name.to_owned(), member(document, &shape.member(name), depth + 1)?);
            }
            for index in 0.. {
                if out.len() >= shape.at_least("minProperties") {
                    break;
                }
                let named = shape.members();
                let next = named.iter().find(|(name, _)| !out.contains_key(**name));
                let (name, pointers) = match (next, shape.additional_members()) {
                    (Some((name, pointers)), _) => ((*name).to_owned(), pointers.clone()),
                    (None, AdditionalMembers::Allowed(pointers)) => (format!("extra{index}"), pointers),
                    (None, AdditionalMembers::Unspecified) => (format!("extra{index}"), Vec::new()),
                    (None, AdditionalMembers::Forbidden) => break,
                };
                out.insert(name, member(document, &pointers, depth + 1)?);
            }
            Value::Object(out)
        }
    })
}

/// The next item of a list with `items`, different from them if they must be unique.
pub fn item(
    document: &Document,
    shape: &Shape<'_>,
    items: &[Value],
    index: usize,
    depth: usize,
) -> Result<Value, Error> {
    let pointers = shape.items();
    let plain = member(document, &pointers, depth + 1)?;
    if !shape.unique() || !items.contains(&plain) {
        return Ok(plain);
    }
    let pointer = pointers.first().cloned().unwrap_or_else(|| "#".to_owned());
    let listed: Option<Vec<Value>> = Alternatives::new(document, &pointers)?
        .shapes
        .iter()
        .map(Shape::listed_values)
        .collect::<Option<Vec<_>>>()
        .map(|all| all.concat());
    if let Some(values) = listed {
        let unused = values.into_iter().find(|value| !items.contains(value));
        return unused.ok_or_else(|| Error::new(pointer, "there are not enough different items"));
    }
    let strategy = super::member(document, &pointers, depth + 1)?;
    let mut runner = runner(index as u64);
    for _ in 0..256 {
        let tree = proptest::strategy::Strategy::new_tree(&strategy, &mut runner)
            .map_err(|reason| Error::new(&pointer, reason.to_string()))?;
        let value = proptest::strategy::ValueTree::current(&tree);
        if !items.contains(&value) {
            return Ok(value);
        }
    }
    Err(Error::new(pointer, "no further different item was found"))
}

fn integer(shape: &Shape<'_>) -> i64 {
    let (low, high) = shape.integer_range();
    let near = 1.clamp(low, high.max(low));
    match shape.step() {
        Some(step) if step >= 1.0 => {
            let step = step as i64;
            let up = near.div_euclid(step).saturating_mul(step);
            if up < low { up.saturating_add(step) } else { up }
        }
        _ => near,
    }
}

fn number(shape: &Shape<'_>) -> Value {
    let (low, high) = shape.number_range();
    match shape.step() {
        Some(step) => json!((1.0_f64.clamp(low, high) / step).ceil() * step),
        None => json!(1.5_f64.clamp(low, high)),
    }
}

fn string(shape: &Shape<'_>) -> Result<String, Error> {
    let (least, most) = (shape.at_least("minLength"), shape.at_most("maxLength"));
    let fits = |text: &str| {
        let length = text.chars().count();
        length >= least && most.is_none_or(|most| length <= most)
    };
    let patterns: Vec<(String, &str)> = shape
        .occurrences("pattern")
        .filter_map(|(pointer, value)| Some((pointer, value.as_str()?)))
        .collect();
    let format = shape.text_of("format");
    if let Some((pointer, pattern)) = patterns.first() {
        let beyond = || Error::new(pointer, format!("no text was found that matches {pattern}"));
        let strategy = text::from_pattern(pattern).ok_or_else(beyond)?;
        let mut runner = runner(0);
        for _ in 0..256 {
            let tree =
                proptest::strategy::Strategy::new_tree(&strategy, &mut runner).map_err(|_| beyond())?;
            let text = proptest::strategy::ValueTree::current(&tree);
            if fits(&text) && patterns.iter().all(|(_, pattern)| text::matches(pattern, &text)) {
                return Ok(text);
            }
        }
        return Err(beyond());
    }
    let sample = text::sample(format);
    if fits(sample) {
        return Ok(sample.to_owned());
    }
    let length = sample.chars().count().clamp(least, most.unwrap_or(usize::MAX).max(least));
    let near = [length, least, most.unwrap_or(length)];
    near.into_iter().find_map(|length| text::of_length(format, length)).ok_or_else(|| {
        let pointer = shape.parts.first().map_or("#", |part| part.pointer.as_str());
        Error::new(
            pointer,
            format!("no text of format {} has the length asked for", format.unwrap_or("text")),
        )
    })
}
