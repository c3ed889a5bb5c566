//! Compares the keywords that constrain a value itself: type, enum, limits, format, pattern. Each keyword has a rule;
//! afterwards a change is compatible if the schema as a whole still accepts the same values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::containment::{counterexample, covers};
use super::finding::{Finding, Pair};
use super::message::{number, or_none, values};
use super::sample::{number_of, sample, string_of};
use super::view::{LOWER, UPPER, View};
use super::{Level, Options, Side};
use crate::walk::join;

/// Compares two schemas; `false` if they have no type in common, so that the other keywords need no comparison.
///
/// `documents` are those of the views, the older first.
pub(super) fn compare(
    documents: (&Value, &Value),
    old: &View,
    new: &View,
    options: Options,
    pair: &mut Pair,
) -> bool {
    let mut found: Vec<(Finding, Vec<Value>)> = Vec::new();
    let comparable = types(old, new, &mut found);
    if comparable {
        enumerations(old, new, options, &mut found);
        for keyword in UPPER {
            limit(keyword, old, new, true, &mut found);
        }
        for keyword in LOWER {
            limit(keyword, old, new, false, &mut found);
        }
        format(old, new, &mut found);
        for keyword in ["pattern", "multipleOf", "uniqueItems"] {
            plain(keyword, old, new, &mut found);
        }
    }
    for (finding, candidates) in &mut found {
        collections(documents, old, new, finding, candidates);
    }
    let (old_schema, new_schema) = (old.scalar_schema(), new.scalar_schema());
    let undecided = |level: Level| level == Level::Breaking;
    if found.iter().any(|(finding, _)| undecided(finding.request))
        && covers(&new_schema, &old_schema) == Some(true)
    {
        for finding in overrulable(&mut found) {
            downgrade(&mut finding.request, &mut finding.by_containment);
        }
    }
    if found.iter().any(|(finding, _)| undecided(finding.response))
        && covers(&old_schema, &new_schema) == Some(true)
    {
        for finding in overrulable(&mut found) {
            downgrade(&mut finding.response, &mut finding.by_containment);
        }
    }
    for (mut finding, candidates) in found {
        // The document's own examples added first, because readers know them.
        let known = [old, new].into_iter().flat_map(|view| {
            ["example", "default"].into_iter().filter_map(|key| view.annotations.get(key).cloned())
        });
        let candidates: Vec<Value> = candidates.into_iter().chain(known).collect();
        if finding.request == Level::Breaking && finding.request_counterexample.is_none() {
            finding.request_counterexample = counterexample(&old_schema, &new_schema, candidates.clone());
        }
        if finding.response == Level::Breaking && finding.response_counterexample.is_none() {
            finding.response_counterexample = counterexample(&new_schema, &old_schema, candidates);
        }
        if finding.by_containment && finding.note.is_none() {
            finding.note = Some("the schema as a whole accepts the same values".to_owned());
        }
        pair.record(finding);
    }
    comparable
}

/// The findings that containment may overrule. It does not know every format.
fn overrulable(found: &mut Found) -> impl Iterator<Item = &mut Finding> {
    found.iter_mut().map(|(finding, _)| finding).filter(|finding| finding.rule != "format-changed")
}

fn downgrade(level: &mut Level, by_containment: &mut bool) {
    if *level == Level::Breaking {
        (*level, *by_containment) = (Level::Compatible, true);
    }
}

type Found = Vec<(Finding, Vec<Value>)>;

/// The document and pointer of a keyword: the new document, or the old one if it was removed.
fn place(keyword: &str, old: &View, new: &View) -> (Side, String) {
    if new.scalars.contains_key(keyword) || !old.scalars.contains_key(keyword) {
        (Side::New, join(&new.pointer, keyword))
    } else {
        (Side::Old, join(&old.pointer, keyword))
    }
}

fn types(old: &View, new: &View, found: &mut Found) -> bool {
    let (before, after) = (old.types(), new.types());
    if before == after {
        return true;
    }
    const ALL: [&str; 6] = ["string", "number", "boolean", "object", "array", "null"];
    let expanded = |types: &Option<Vec<String>>| -> BTreeSet<String> {
        let mut set: BTreeSet<String> = match types {
            Some(types) => types.iter().cloned().collect(),
            None => ALL.into_iter().map(str::to_owned).collect(),
        };
        if set.contains("number") {
            set.insert("integer".to_owned());
        }
        set
    };
    let (was, is) = (expanded(&before), expanded(&after));
    if was == is {
        return true;
    }
    let removed: Vec<&String> = was.difference(&is).collect();
    let added: Vec<&String> = is.difference(&was).collect();
    let listed = |types: &Option<Vec<String>>| match types {
        Some(types) => types.join(" or "),
        None => "anything".to_owned(),
    };
    let (side, pointer) = place("type", old, new);
    let only_null = |types: &[&String]| types.iter().all(|kind| *kind == "null");
    let (rule, message) = match (removed.is_empty(), added.is_empty()) {
        (true, false) if only_null(&added) => ("null-allowed", "may be null".to_owned()),
        (false, true) if only_null(&removed) => ("null-refused", "may no longer be null".to_owned()),
        _ => ("type-changed", format!("is {}, was {}", listed(&after), listed(&before))),
    };
    let mut finding = Finding::new(rule, side, &pointer, message);
    if !removed.is_empty() {
        finding = finding.narrows();
    }
    if !added.is_empty() {
        finding = finding.widens();
    }
    let candidates = removed
        .iter()
        .chain(&added)
        .filter_map(|kind| match kind.as_str() {
            "number" => Some(json!(0.5)),
            kind => sample(&Value::Null, &json!({"type": kind})),
        })
        .collect();
    found.push((finding, candidates));
    was.intersection(&is).any(|kind| kind != "null") || (was.contains("null") && is.contains("null"))
}

fn enumerations(old: &View, new: &View, options: Options, found: &mut Found) {
    let keyword =
        if new.scalars.contains_key("const") || old.scalars.contains_key("const") { "const" } else { "enum" };
    let keyword = if place(keyword, old, new).1.ends_with("const")
        && !new.scalars.contains_key("const")
        && new.scalars.contains_key("enum")
    {
        "enum"
    } else {
        keyword
    };
    let (side, pointer) = place(keyword, old, new);
    let finding = |rule, message: String| Finding::new(rule, side, &pointer, message);
    match (old.listed_values(), new.listed_values()) {
        (None, Some(after)) => {
            let finding =
                finding("enum-introduced", format!("is restricted to {}", values(&after))).narrows();
            let other = json!("some other value");
            found.push((finding, vec![other]));
        }
        (Some(before), None) => {
            let finding =
                finding("enum-dropped", format!("is no longer restricted to {}", values(&before))).widens();
            found.push((finding, vec![json!("some other value")]));
        }
        (Some(before), Some(after)) => {
            // The finding about the type covers null.
            let counts = |value: &&Value| !(value.is_null() && old.types() != new.types());
            let removed: Vec<Value> =
                before.iter().filter(|value| !after.contains(value)).filter(counts).cloned().collect();
            let added: Vec<Value> =
                after.iter().filter(|value| !before.contains(value)).filter(counts).cloned().collect();
            if !removed.is_empty() {
                let finding =
                    finding("enum-value-removed", format!("no longer accepts {}", values(&removed)))
                        .narrows();
                found.push((finding, removed));
            }
            if !added.is_empty() {
                let mut finding = finding("enum-value-added", format!("also accepts {}", values(&added)));
                if options.closed_enums || keyword == "const" {
                    finding = finding.widens();
                } else {
                    finding = finding
                        .note("clients must accept unknown values; use --closed-enums if they reject them");
                }
                found.push((finding, added));
            }
        }
        (None, None) => {}
    }
}

fn limit(keyword: &'static str, old: &View, new: &View, upper: bool, found: &mut Found) {
    let read = |view: &View| view.scalars.get(keyword).and_then(Value::as_f64);
    // A length of at least nothing is no limit.
    let idle = |limit: &f64| !upper && *limit <= 0.0 && keyword.starts_with("min") && keyword != "minimum";
    let (before, after) = (read(old).filter(|limit| !idle(limit)), read(new).filter(|limit| !idle(limit)));
    let tightened = match (before, after) {
        (before, after) if before == after => return,
        (None, _) => true,
        (_, None) => false,
        (Some(before), Some(after)) => (after < before) == upper,
    };
    let (side, pointer) = place(keyword, old, new);
    let shown = |limit: Option<f64>| limit.map_or_else(|| "not limited".to_owned(), number);
    let message = format!("{keyword} is {}, was {}", shown(after), shown(before));
    let rule = if tightened { "limit-tightened" } else { "limit-loosened" };
    let finding = Finding::new(rule, side, &pointer, message);
    let finding = if tightened { finding.narrows() } else { finding.widens() };
    // One step over the tighter limit: the looser one accepts it, the tighter does not.
    let tighter = if tightened { after } else { before }.unwrap_or_default();
    let over = |by: f64| if upper { tighter + by } else { tighter - by };
    let candidates = match keyword {
        "maxLength" | "minLength" if over(1.0) >= 0.0 => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a length, not negative"
            )]
            let length = over(1.0) as u64;
            string_of(length).into_iter().collect()
        }
        "minimum" | "maximum" => [over(1.0), over(0.5)].into_iter().filter_map(number_of).collect(),
        "exclusiveMinimum" | "exclusiveMaximum" => {
            [tighter, over(1.0)].into_iter().filter_map(number_of).collect()
        }
        // Lists and objects are made from the difference of the two schemas.
        _ => Vec::new(),
    };
    found.push((finding, candidates));
}

/// Lists and objects of the size in question, made of what the schemas say they hold.
fn collections(
    (old_document, new_document): (&Value, &Value),
    old: &View,
    new: &View,
    finding: &Finding,
    candidates: &mut Vec<Value>,
) {
    const MANY: u64 = 1000;
    let keyword = finding.pointer.rsplit('/').next().unwrap_or_default();
    if !["minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"].contains(&keyword) {
        return;
    }
    // A request shows what the old document accepted, a response what the new one allows.
    let (document, view) =
        if finding.request == Level::Breaking { (old_document, old) } else { (new_document, new) };
    let limits = [old, new].into_iter().filter_map(|view| view.scalars.get(keyword)?.as_u64());
    let sizes: Vec<u64> = match keyword {
        "uniqueItems" => vec![2],
        "minItems" | "minProperties" => limits.map(|limit| limit.saturating_sub(1)).collect(),
        _ => limits.map(|limit| limit + 1).collect(),
    };
    for size in sizes.into_iter().filter(|size| *size <= MANY) {
        if keyword.ends_with("Items") {
            let holds = view.items.as_ref().map_or(json!({"type": "string"}), |items| items.value.clone());
            if let Some(item) = sample(document, &holds) {
                candidates.push((0..size).map(|_| item.clone()).collect());
            }
        } else {
            let holds = view.additional.as_ref().map_or(json!(true), |values| values.value.clone());
            let holds = if holds.is_boolean() { json!({"type": "string"}) } else { holds };
            if let Some(value) = sample(document, &holds) {
                let members = (1..=size).map(|number| (format!("member{number}"), value.clone()));
                candidates.push(Value::Object(members.collect()));
            }
        }
    }
}

fn format(old: &View, new: &View, found: &mut Found) {
    let read = |view: &View| view.scalars.get("format").and_then(Value::as_str).map(str::to_owned);
    let (before, after) = (read(old), read(new));
    if before == after {
        return;
    }
    let (side, pointer) = place("format", old, new);
    let shown = |format: &Option<String>| format.clone().unwrap_or_else(|| "none".to_owned());
    let message = format!("format is {}, was {}", shown(&after), shown(&before));
    let finding = Finding::new("format-changed", side, &pointer, message);
    let candidates = vec![json!("text"), json!("2030-01-02"), json!(0.5)];
    // The set of values of a format, as nested sets where they are.
    let within = |narrow: Option<&str>, wide: Option<&str>| match (narrow, wide) {
        (_, None) => true,
        (narrow, Some(wide)) if says_nothing(wide) => narrow.is_none_or(|_| true),
        (Some("int32"), Some("int64")) | (Some("float"), Some("double")) => true,
        (Some("email"), Some("idn-email")) | (Some("uri"), Some("uri-reference" | "iri")) => true,
        (narrow, Some(wide)) => narrow == Some(wide),
    };
    let narrows = !within(before.as_deref(), after.as_deref());
    let widens = !within(after.as_deref(), before.as_deref());
    let mut finding = match (narrows, widens) {
        (true, true) => finding.narrows().widens(),
        (true, false) => finding.narrows(),
        (false, true) => finding.widens(),
        (false, false) => finding.note("accepts the same values; generated types may change"),
    };
    let accepted =
        sample(&Value::Null, &json!({"type": "string", "format": after.clone().unwrap_or_default()}));
    let was = sample(&Value::Null, &json!({"type": "string", "format": before.clone().unwrap_or_default()}));
    // The validator does not check the width of integers, so this value is not validated.
    let wide = json!(2_147_483_648_i64);
    match (before.as_deref(), after.as_deref()) {
        (None | Some("int64"), Some("int32")) => finding.request_counterexample = Some(wide),
        (Some("int32"), None | Some("int64")) => finding.response_counterexample = Some(wide),
        _ => {}
    }
    found.push((finding, candidates.into_iter().chain(accepted).chain(was).collect()));
}

/// Formats that rule no value out, but say how to hold or show it.
fn says_nothing(format: &str) -> bool {
    ["int64", "double", "float", "password", "binary", "byte"].contains(&format)
}

fn plain(keyword: &'static str, old: &View, new: &View, found: &mut Found) {
    let read = |view: &View| view.scalars.get(keyword).filter(|value| **value != json!(false)).cloned();
    let (before, after) = (read(old), read(new));
    if before == after {
        return;
    }
    let (side, pointer) = place(keyword, old, new);
    let message = format!("{keyword} is {}, was {}", or_none(after.as_ref()), or_none(before.as_ref()));
    let finding = Finding::new("keyword-changed", side, &pointer, message);
    let divides = |step: &Option<Value>, other: &Option<Value>| {
        let (step, other) = (step.as_ref().and_then(Value::as_f64), other.as_ref().and_then(Value::as_f64));
        matches!((step, other), (Some(step), Some(other)) if step > 0.0 && (other / step).fract() == 0.0)
    };
    let finding = match (&before, &after) {
        (None, _) => finding.narrows(),
        (_, None) => finding.widens(),
        _ if keyword == "multipleOf" && divides(&before, &after) => finding.narrows(),
        _ if keyword == "multipleOf" && divides(&after, &before) => finding.widens(),
        // Two patterns: containment knows, or else either side may lose values.
        _ => finding.narrows().widens(),
    };
    let candidates = ["", "a", "A", "0", "a1", "value", "some text", "ä", "-", "_"];
    let mut candidates: Vec<Value> = candidates.into_iter().map(|text| json!(text)).collect();
    candidates.extend([json!(1), json!(0.5)]);
    for step in [&before, &after].into_iter().flatten().filter(|step| step.is_number()) {
        candidates.push(step.clone());
    }
    found.push((finding, candidates));
}
