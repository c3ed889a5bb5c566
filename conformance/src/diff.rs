//! The static half: what a server's own description says, against what the contract says.
//!
//! A dropshot description is OpenAPI 3.0.3 without security and with one media type per body, so it is no oracle
//! for values; what it can tell is which operations there are, under which method, path, operationId and tag,
//! with which parameters, whether there is a body (it calls every body required), and the status of success. No
//! values are looked at and nothing is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::contract::{self, Operation, ParameterLocation};

/// Something that the two documents say differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `GET /api/server/contacts`.
    pub operation: String,
    /// What differs: `operation`, `operationId`, `tag`, `parameter query page`, `body`.
    pub what: String,
    /// What the contract says; `None` when it says nothing.
    pub contract: Option<String>,
    /// What the description says.
    pub description: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text_or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            formatter,
            "{}: {}: the contract says {}, the server describes {}",
            self.operation,
            self.what,
            text_or_nothing(&self.contract),
            text_or_nothing(&self.description)
        )
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Operations that both documents have.
    pub compared: usize,
    /// Operations of the contract whose literal path the server reaches through a variable one, because its
    /// router cannot hold both: `GET /webhooks/deliveries` through `GET /webhooks/{id}`.
    pub dispatched: Vec<String>,
    /// The differences, by operation.
    pub differences: Vec<Difference>,
}

/// What one document says of one operation.
#[derive(Debug, Default)]
struct OperationSummary {
    id: String,
    tag: String,
    /// Whether it is required, by place and name.
    parameters: BTreeMap<String, bool>,
    /// Whether there is a body.
    body: bool,
    /// Statuses of its answers, ranges in capitals.
    statuses: BTreeSet<String>,
}

impl OperationSummary {
    /// The first status of success; a description has only one.
    fn success(&self) -> Option<String> {
        self.statuses.iter().find(|status| status.starts_with(['2', '3'])).cloned()
    }

    /// Whether an answer of `status` is documented, as itself or by a range.
    fn documents(&self, status: &str) -> bool {
        let range = status.get(..1).map(|digit| format!("{digit}XX")).unwrap_or_default();
        [status, range.as_str(), "DEFAULT"].iter().any(|known| self.statuses.contains(*known))
    }
}

/// Method and path, as a client sees them.
type Key = (String, String);

/// Compares a server's description with its contract. `routes` are methods and paths that the server has and may
/// not describe: where a variable path only serves the literal ones beside it.
/// An error says where a document is no OpenAPI.
pub fn compare(contract: &Value, description: &Value, routes: &[(&str, &str)]) -> Result<Comparison> {
    let (contract, described) = (operations(contract)?, operations(description)?);
    let routes: Vec<Key> =
        routes.iter().map(|(method, path)| (method.to_uppercase(), (*path).to_owned())).collect();
    let mut out = Comparison::default();
    let mut dispatchers = BTreeSet::new();
    for (key, wanted) in &contract {
        if let Some(found) = described.get(key) {
            out.compared += 1;
            out.differences.extend(differences(key, wanted, found));
        } else if let Some(dispatcher) =
            described.keys().chain(&routes).find(|dispatcher| reaches(dispatcher, key))
        {
            dispatchers.insert(dispatcher.clone());
            out.dispatched.push(display_name(key));
        } else {
            out.differences.push(difference(key, "operation", Some(wanted.id.clone()), None));
        }
    }
    for (key, found) in &described {
        if !contract.contains_key(key) && !dispatchers.contains(key) {
            out.differences.push(difference(key, "operation", None, Some(found.id.clone())));
        }
    }
    Ok(out)
}

fn differences(key: &Key, wanted: &OperationSummary, found: &OperationSummary) -> Vec<Difference> {
    let mut out = Vec::new();
    let mut check = |what: &str, wanted: Option<String>, found: Option<String>| {
        if wanted != found {
            out.push(difference(key, what, wanted, found));
        }
    };
    check("operationId", Some(wanted.id.clone()), Some(found.id.clone()));
    check("tag", Some(wanted.tag.clone()), Some(found.tag.clone()));
    let necessity = |required: &bool| if *required { "required" } else { "optional" }.to_owned();
    let names: BTreeSet<&String> = wanted.parameters.keys().chain(found.parameters.keys()).collect();
    for name in names {
        let (wanted, found) = (wanted.parameters.get(name), found.parameters.get(name));
        check(&format!("parameter {name}"), wanted.map(necessity), found.map(necessity));
    }
    let presence = |body: bool| body.then(|| "a body".to_owned());
    check("body", presence(wanted.body), presence(found.body));
    // What says nothing of its answers, such as a description of routes alone, is not compared.
    if !found.statuses.is_empty() && !wanted.statuses.is_empty() {
        check("success", wanted.success(), found.success());
        let failures = found.statuses.iter().filter(|status| !status.starts_with(['2', '3']));
        for status in failures.filter(|status| !wanted.documents(status)) {
            check(&format!("status {status}"), None, Some(status.clone()));
        }
    }
    out
}

fn difference(key: &Key, what: &str, contract: Option<String>, description: Option<String>) -> Difference {
    Difference { operation: display_name(key), what: what.to_owned(), contract, description }
}

fn display_name((method, path): &Key) -> String {
    format!("{method} {path}")
}

/// Whether requests for `key` arrive at `dispatcher`, whose variables stand where `key` has literals.
fn reaches(dispatcher: &Key, key: &Key) -> bool {
    let (dispatchers, keys): (Vec<&str>, Vec<&str>) =
        (dispatcher.1.split('/').collect(), key.1.split('/').collect());
    dispatcher.0 == key.0
        && dispatchers.len() == keys.len()
        && dispatchers
            .iter()
            .zip(&keys)
            .all(|(dispatcher, segment)| dispatcher == segment || dispatcher.starts_with('{'))
}

fn operations(document: &Value) -> Result<BTreeMap<Key, OperationSummary>> {
    let key = |operation: &Operation| (operation.method.clone(), operation.path.clone());
    Ok(contract::operations_of(document)?
        .iter()
        .map(|operation| (key(operation), summarize(operation)))
        .collect())
}

fn summarize(operation: &Operation) -> OperationSummary {
    let parameters = operation.parameters.iter().filter_map(|parameter| {
        let name = match parameter.location {
            // dropshot cannot describe cookies.
            ParameterLocation::Cookie => return None,
            ParameterLocation::Header => parameter.name.to_lowercase(),
            ParameterLocation::Path | ParameterLocation::Query => parameter.name.clone(),
        };
        Some((format!("{} {name}", parameter.location.name()), parameter.required))
    });
    OperationSummary {
        id: operation.id.clone(),
        tag: operation.tag.clone(),
        parameters: parameters.collect(),
        body: operation.body.is_some(),
        statuses: operation.responses.iter().map(|answer| answer.status.text().to_uppercase()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> Value {
        json!({
            "servers": [{ "url": "https://example.com/api" }],
            "paths": {
                "/notes/{id}": {
                    "parameters": [{ "$ref": "#/components/parameters/Id" }],
                    "delete": {
                        "operationId": "deleteNote", "tags": ["Notes"], "responses": { "204": {}, "4XX": {} }
                    },
                },
                "/notes/all": { "get": { "operationId": "listNotes", "tags": ["Notes"], "responses": {} } },
                "/health": { "servers": [{ "url": "/" }], "get": {
                    "operationId": "health", "parameters": [{ "in": "header", "name": "X-Deep" }], "responses": {}
                } },
            },
            "components": { "parameters": { "Id": { "in": "path", "name": "id", "required": true } } },
        })
    }

    fn description() -> Value {
        json!({ "paths": {
            "/api/notes/{id}": {
                "delete": {
                    "operationId": "deleteNote", "tags": ["Notes"],
                    "parameters": [{ "in": "path", "name": "id", "required": true }],
                    "responses": { "204": {}, "4XX": {} }
                },
                "get": {
                    "operationId": "GET /api/notes/{id}", "responses": {},
                    "parameters": [{ "in": "path", "name": "id", "required": true }]
                },
            },
            "/health": { "get": {
                "operationId": "health", "parameters": [{ "in": "header", "name": "x-deep" }], "responses": {}
            } },
        } })
    }

    #[test]
    fn ignores_servers_references_and_dispatched_paths() {
        let comparison = compare(&contract(), &description(), &[]).unwrap();
        assert_eq!(comparison.differences, []);
        assert_eq!((comparison.compared, comparison.dispatched), (2, vec!["GET /api/notes/all".to_owned()]));
    }

    #[test]
    fn undescribed_routes_dispatch() {
        let mut description = description();
        description["paths"]["/api/notes/{id}"].as_object_mut().map(|item| item.remove("get"));
        let comparison = compare(&contract(), &description, &[("GET", "/api/notes/{id}")]).unwrap();
        assert_eq!((comparison.differences, comparison.dispatched.len()), (Vec::new(), 1));
    }

    #[test]
    fn finds_every_kind_of_difference() {
        type Change = fn(&mut Value);
        let seeds: [(&str, Change); 11] = [
            ("DELETE /api/notes/{id}: success", |d| {
                let responses = &mut d["paths"]["/api/notes/{id}"]["delete"]["responses"];
                *responses = json!({ "202": {}, "4XX": {} });
            }),
            ("DELETE /api/notes/{id}: status 5XX", |d| {
                d["paths"]["/api/notes/{id}"]["delete"]["responses"]["5XX"] = json!({});
            }),
            ("DELETE /api/notes/{id}: operationId", |d| {
                d["paths"]["/api/notes/{id}"]["delete"]["operationId"] = json!("remove")
            }),
            ("DELETE /api/notes/{id}: tag", |d| {
                d["paths"]["/api/notes/{id}"]["delete"]["tags"] = json!(["Other"])
            }),
            ("DELETE /api/notes/{id}: parameter path id", |d| {
                d["paths"]["/api/notes/{id}"]["delete"]["parameters"] = json!([])
            }),
            ("GET /health: parameter header x-deep", |d| {
                d["paths"]["/health"]["get"]["parameters"][0]["required"] = json!(true)
            }),
            ("GET /health: parameter query page", |d| {
                d["paths"]["/health"]["get"]["parameters"] =
                    json!([{ "in": "header", "name": "x-deep" }, { "in": "query", "name": "page" }]);
            }),
            ("GET /health: body", |d| {
                d["paths"]["/health"]["get"]["requestBody"] =
                    json!({ "required": true, "content": { "application/json": {} } })
            }),
            ("GET /health: operation", |d| d["paths"]["/health"] = json!({})),
            ("POST /health: operation", |d| {
                d["paths"]["/health"]["post"] = json!({ "operationId": "more", "responses": {} })
            }),
            ("GET /api/notes/all: operation", |d| {
                d["paths"]["/api/notes/{id}"].as_object_mut().map(|item| item.remove("get"));
            }),
        ];
        for (expected, change) in seeds {
            let mut description = description();
            change(&mut description);
            let found = compare(&contract(), &description, &[]).unwrap().differences;
            let places: Vec<String> =
                found.iter().map(|one| format!("{}: {}", one.operation, one.what)).collect();
            assert_eq!(places, [expected], "{found:?}");
        }
    }
}
