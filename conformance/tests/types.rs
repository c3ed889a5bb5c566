//! Every type of ringnity-types against its schema: valid values round-trip through the type, and the schema rejects
//! invalid ones. `CONFORMANCE_CASES` and `CONFORMANCE_SEED` change the number of values and the seed.

use std::collections::{BTreeMap, BTreeSet};

use conformance::values::{Document, Schema as SchemaAt};
use serde_json::{Map, Value, json};

#[rustfmt::skip]
#[path = "../../ringnity-types/tests/generated/schemas.rs"]
mod schemas;

use schemas::{SCHEMAS, Schema};

const CONTRACT: &str = include_str!("../../ringnity-server/api/src/generated/contract.json");

/// Accepted reasons for a keyword without a mutant.
const ACCEPTED_REASONS: [&str; 4] = [
    // Formats such as `password` and `int64` reject nothing.
    "the format asserts nothing",
    // `additionalProperties: true`.
    "additional members are allowed",
    // `minLength: 0`.
    "there is nothing shorter",
    // `maxItems` above the number of enum values of a `uniqueItems` list.
    "there are not enough different items",
];

fn document() -> Document {
    Document::new(serde_json::from_str(CONTRACT).expect("the contract is JSON"))
        .expect("the contract is a document")
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Random values, boundary cases and the minimal value of a schema.
fn values(place: &SchemaAt<'_>) -> Vec<Value> {
    let count = usize::try_from(number("CONFORMANCE_CASES", 16)).expect("a count");
    let mut out = place.samples(count, number("CONFORMANCE_SEED", 1)).expect("samples");
    out.extend(place.boundaries(None).expect("boundaries").cases.into_iter().map(|case| case.value));
    out.push(place.minimal().expect("a plain value"));
    out
}

#[test]
fn table_lists_every_schema() {
    let document = document();
    let names: BTreeSet<&str> = SCHEMAS.iter().map(|schema| schema.name).collect();
    let pointers: BTreeSet<&str> = SCHEMAS.iter().map(|schema| schema.pointer).collect();
    assert_eq!((names.len(), pointers.len()), (SCHEMAS.len(), SCHEMAS.len()), "two rows are alike");
    let components = document.root()["components"]["schemas"].as_object().expect("schemas");
    let missing: Vec<String> = components
        .keys()
        .map(|name| format!("#/components/schemas/{name}"))
        .filter(|pointer| !pointers.contains(pointer.as_str()))
        .collect();
    assert!(missing.is_empty(), "no type is tried for {missing:?}");
    for schema in SCHEMAS {
        document.schema(schema.pointer).unwrap_or_else(|error| panic!("{}: {error}", schema.name));
    }
    println!("{} components, {} inline types", components.len(), SCHEMAS.len() - components.len());
}

#[test]
fn valid_values_round_trip() {
    let document = document();
    let mut problems = Vec::new();
    let mut tried = 0;
    for schema in SCHEMAS {
        let place = document.schema(schema.pointer).expect("a schema");
        let validator = place.validator().expect("a validator");
        for value in values(&place) {
            tried += 1;
            let problem = trips(schema, &place, &validator, &value);
            if let Err(problem) = problem {
                problems.push(format!("{} ({}): {problem}\n    sent {value}", schema.name, schema.pointer));
                break;
            }
        }
    }
    println!("{} schemas, {tried} valid values, {} with a problem", SCHEMAS.len(), problems.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn trips(
    schema: &Schema,
    place: &SchemaAt<'_>,
    validator: &jsonschema::Validator,
    value: &Value,
) -> Result<(), String> {
    if let Some(error) = validator.iter_errors(value).next() {
        return Err(format!("the value is not valid: {error}"));
    }
    let first =
        (schema.round_trip)(value.clone()).map_err(|error| format!("the type refuses it: {error}"))?;
    let second = (schema.round_trip)(first.clone())
        .map_err(|error| format!("the type refuses its own: {error}\n    {first}"))?;
    if first != second {
        return Err(format!("the second trip differs\n    first {first}\n    then {second}"));
    }
    if let Some(error) = validator.iter_errors(&first).next() {
        return Err(format!("it comes back invalid: {}: {error}\n    back {first}", error.instance_path()));
    }
    same(place, "", value, &first)
}

/// Whether `back` has everything that `sent` had, and nothing more than defaults.
fn same(place: &SchemaAt<'_>, at: &str, sent: &Value, back: &Value) -> Result<(), String> {
    let said = |keyword: &str| place.keyword_values_at(at, keyword).expect("the schema can be read");
    let equal = match (sent, back) {
        (Value::Object(sent), Value::Object(back)) => {
            for (name, value) in sent {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                let back = back.get(name).ok_or_else(|| format!("{at} is lost"))?;
                same(place, &at, value, back)?;
            }
            for (name, value) in back.iter().filter(|(name, _)| !sent.contains_key(*name)) {
                let at = format!("{at}/{name}");
                if !place.keyword_values_at(&at, "default").expect("the schema can be read").contains(&value)
                {
                    return Err(format!("{at} was not sent and is no default: {value}"));
                }
            }
            true
        }
        (Value::Array(sent), Value::Array(back)) => {
            for (index, (sent, back)) in sent.iter().zip(back).enumerate() {
                same(place, &format!("{at}/{index}"), sent, back)?;
            }
            sent.len() == back.len()
        }
        (Value::String(sent), Value::String(back)) => {
            sent == back
                || (said("format").contains(&&json!("date-time"))
                    && chrono::DateTime::parse_from_rfc3339(sent)
                        .is_ok_and(|sent| Ok(sent) == chrono::DateTime::parse_from_rfc3339(back)))
        }
        // A `number` without a fraction is read back as a floating-point number.
        (Value::Number(sent), Value::Number(back)) => {
            sent == back
                || (sent.as_f64() == back.as_f64()
                    && said("type").iter().any(|kind| kind.to_string().contains("number")))
        }
        (sent, back) => sent == back,
    };
    if equal { Ok(()) } else { Err(format!("{at} was {sent} and comes back as {back}")) }
}

#[test]
fn rejects_what_a_schema_forbids() {
    let document = document();
    let mut by_keyword: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut accepted: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for schema in SCHEMAS {
        let place = document.schema(schema.pointer).expect("a schema");
        let validator = place.validator().expect("a validator");
        let mutants = place.mutants(None).expect("mutants");
        for mutant in mutants.cases {
            if validator.is_valid(&mutant.value) {
                problems
                    .push(format!("{}: {}: accepted: {}", mutant.schema, mutant.description, mutant.value));
            }
            let refused = (schema.round_trip)(mutant.value.clone()).is_err();
            if mutant.keyword == "const" && !refused {
                problems.push(format!("{}: the type {} takes {}", mutant.schema, schema.name, mutant.value));
            }
            let counts = by_keyword.entry(mutant.keyword).or_default();
            counts.0 += 1;
            counts.1 += usize::from(refused);
        }
        for skipped in mutants.skipped {
            if ACCEPTED_REASONS.contains(&skipped.reason.as_str()) {
                *accepted.entry(format!("{}: {}", skipped.keyword, skipped.reason)).or_default() += 1;
            } else {
                unexplained.push(format!(
                    "{} at {:?} from {}: {}",
                    skipped.schema, skipped.instance_path, schema.name, skipped.reason
                ));
            }
        }
    }
    let total: usize = by_keyword.values().map(|(all, _)| all).sum();
    println!("{} schemas, {total} mutants, all refused by the schema; by the type already:", SCHEMAS.len());
    for (keyword, (all, by_type)) in &by_keyword {
        println!("    {keyword:<22} {all:>6} {by_type:>6}");
    }
    for (reason, count) in &accepted {
        println!("    without a mutant: {count} × {reason}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(
        unexplained.is_empty(),
        "no mutant was made, and nobody said that this is right:\n{}",
        unexplained.join("\n")
    );
}

#[test]
fn only_enums_in_responses_keep_unknown_values() {
    let document = document();
    let (mut open, mut closed, mut inside) = (0, 0, 0);
    for schema in SCHEMAS {
        let place = document.schema(schema.pointer).expect("a schema");
        let is_enum = place.json().expect("a schema").get("enum").is_some();
        for mutant in place.mutants(None).expect("mutants").cases {
            if mutant.keyword != "enum" {
                continue;
            }
            let trip = (schema.round_trip)(mutant.value.clone());
            if schema.sent {
                let back = trip
                    .unwrap_or_else(|error| panic!("{} cannot read {}: {error}", schema.name, mutant.value));
                assert_eq!(
                    back.pointer(&mutant.instance_path),
                    mutant.value.pointer(&mutant.instance_path),
                    "{}",
                    schema.name
                );
                if is_enum { open += 1 } else { inside += 1 }
            } else if is_enum {
                assert!(trip.is_err(), "{} takes {}", schema.name, mutant.value);
                closed += 1;
            }
        }
    }
    println!(
        "unknown enum values: {open} kept by open enums, {inside} kept inside other types, {closed} refused by closed enums"
    );
    assert!(open > 0 && closed > 0 && inside > 0);
}

#[test]
fn only_open_schemas_keep_unknown_members() {
    let document = document();
    let (mut kept, mut ignored, mut deep) = (0, 0, 0);
    for schema in SCHEMAS {
        let place = document.schema(schema.pointer).expect("a schema");
        let validator = place.validator().expect("a validator");
        let Value::Object(plain) = place.minimal().expect("a plain value") else { continue };
        let said = place.keyword_values_at("", "additionalProperties").expect("the schema can be read");
        let unknown = json!({ "later": [1] });
        let mut more = plain.clone();
        more.insert("memberOfALaterContract".into(), unknown.clone());
        let more = Value::Object(more);
        if validator.is_valid(&more) {
            let back = (schema.round_trip)(more).unwrap_or_else(|error| panic!("{}: {error}", schema.name));
            let is_open = said.iter().any(|value| **value != json!(false));
            let expected = is_open.then_some(&unknown);
            assert_eq!(back.get("memberOfALaterContract"), expected, "{}: {back}", schema.name);
            if is_open { kept += 1 } else { ignored += 1 }
        }
        for value in place.samples(4, 9).expect("samples") {
            let more = everywhere(value);
            if validator.is_valid(&more) {
                (schema.round_trip)(more).unwrap_or_else(|error| panic!("{}: {error}", schema.name));
                deep += 1;
            }
        }
    }
    println!(
        "unknown members: kept by {kept} types, ignored by {ignored}; {deep} values with one in every object were read"
    );
    assert!(kept > 0 && ignored > 0 && deep > 0);
}

/// `value` with an unknown member in every object.
fn everywhere(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut out: Map<String, Value> =
                members.into_iter().map(|(name, value)| (name, everywhere(value))).collect();
            out.insert("memberOfALaterContract".into(), json!(null));
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(everywhere).collect()),
        value => value,
    }
}
