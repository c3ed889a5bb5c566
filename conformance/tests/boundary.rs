//! The server's request validation against every mutant of every request: invalid parameters and bodies are rejected
//! with one line each, and valid ones pass.

use std::collections::BTreeMap;

use conformance::values::{Cases, Document, reference};
use ringnity_api::OPERATIONS;
use serde_json::{Map, Value, json};

/// The contract, with one added schema for the parameters and one for the body of each operation.
fn document() -> Document {
    let mut root: Value = serde_json::from_str(ringnity_api::CONTRACT).expect("the contract is JSON");
    let mut requests = Map::new();
    for operation in OPERATIONS {
        let pointer = |rest: &str| format!("{}{rest}", operation.pointer);
        let raw = root.pointer(pointer("")[1..].as_ref()).expect("the operation is in the contract").clone();
        let mut places = Map::new();
        for (index, param) in raw["parameters"].as_array().into_iter().flatten().enumerate() {
            let (param, at) = match param["$ref"].as_str() {
                Some(target) => (root.pointer(&target[1..]).expect("a parameter"), target.to_owned()),
                None => (param, pointer(&format!("/parameters/{index}"))),
            };
            let (place, name) =
                (param["in"].as_str().expect("a place"), param["name"].as_str().expect("a name"));
            let group = places
                .entry(place)
                .or_insert_with(|| json!({ "type": "object", "properties": {}, "required": [] }));
            group["properties"][name] = json!({ "$ref": reference(&format!("{at}/schema")) });
            if let (true, Some(required)) = (param["required"] == true, group["required"].as_array_mut()) {
                required.push(json!(name));
            }
        }
        if !places.is_empty() {
            let required: Vec<&String> = places.keys().collect();
            let schema = json!({ "type": "object", "required": required, "properties": places });
            requests.insert(format!("{} params", operation.id), schema);
        }
        if let Some(content) = raw["requestBody"]["content"].as_object()
            && let Some((media, _)) =
                content.iter().find(|(media, _)| media.contains("json") || media.contains("form"))
        {
            let media = media.replace('/', "~1");
            let schema = pointer(&format!("/requestBody/content/{media}/schema"));
            requests.insert(format!("{} body", operation.id), json!({ "$ref": reference(&schema) }));
        }
    }
    root["x-requests"] = Value::Object(requests);
    Document::new(root).expect("a document")
}

#[test]
fn rejects_invalid_and_accepts_valid_requests() {
    let document = document();
    let boundary = ringnity_api::schema_validator().expect("the contract compiles");
    let (mut passed, mut schemas) = (0, 0);
    let mut by_keyword: BTreeMap<String, usize> = BTreeMap::new();
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    let mut problems = Vec::new();
    for operation in OPERATIONS {
        for part in ["params", "body"] {
            let Ok(place) = document.schema(&format!("#/x-requests/{} {part}", operation.id)) else {
                continue;
            };
            schemas += 1;
            let check = |value: &Value| match part {
                "params" => boundary.check_params(operation, value),
                _ => boundary.check_body(operation, value),
            };
            let mut valid = place.samples(16, 1).expect("samples");
            valid
                .extend(place.boundaries(None).expect("boundaries").cases.into_iter().map(|case| case.value));
            for value in valid {
                let lines = check(&value);
                if !lines.is_empty() {
                    problems.push(format!("{} {part}: refused {value}: {lines:?}", operation.id));
                }
                passed += 1;
            }
            let Cases { cases, skipped: without } = place.mutants(None).expect("mutants");
            for mutant in
                cases.into_iter().filter(|mutant| part == "body" || depth(&mutant.instance_path) > 1)
            {
                let lines = check(&mutant.value);
                if lines.is_empty() {
                    problems.push(format!(
                        "{} {part}: {}: took {}",
                        operation.id, mutant.description, mutant.value
                    ));
                }
                *by_keyword.entry(mutant.keyword).or_default() += 1;
            }
            for one in without {
                *skipped.entry(format!("{}: {}", one.keyword, one.reason)).or_default() += 1;
            }
        }
    }
    let total: usize = by_keyword.values().sum();
    println!(
        "{} operations, {schemas} schemas of requests: {passed} valid values passed, {total} mutants refused",
        OPERATIONS.len()
    );
    for (keyword, count) in &by_keyword {
        println!("    {keyword:<22} {count:>6}");
    }
    for (reason, count) in &skipped {
        println!("    without a mutant: {count} × {reason}");
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(schemas > OPERATIONS.len() / 2 && total > 0);
}

/// The depth of a place in the value. The groups of parameters are part of this test, not of the contract.
fn depth(place: &str) -> usize {
    place.matches('/').count()
}
