//! Compares a server's own OpenAPI description with its contract, without sending requests.
//!
//! A description by dropshot is OpenAPI 3.0.3 without security and with one media type per body, so it cannot tell
//! whether values are right. It can tell which operations exist, with which method, path, operationId, tag and
//! parameters, whether there is a body (it marks every body as required), and the status of success.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use crate::contract::{self, Operation, ParameterLocation};

/// A difference between the two documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Method and path: `GET /api/server/contacts`.
    pub operation: String,
    /// What differs: `operation`, `operationId`, `tag`, `parameter query page`, `body`, `success` or `status 409`.
    pub what: String,
    /// The value in the contract; `None` when it is absent.
    pub contract: Option<String>,
    /// The value in the description; `None` when it is absent.
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

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Number of operations that both documents have.
    pub compared: usize,
    /// Operations of the contract with a literal path that the server routes through a variable one, because its
    /// router cannot hold both: `GET /webhooks/deliveries` through `GET /webhooks/{id}`.
    pub dispatched: Vec<String>,
    /// The differences, by operation.
    pub differences: Vec<Difference>,
}

/// The members of an operation that are compared.
#[derive(Debug, Default)]
struct OperationSummary {
    id: String,
    tag: String,
    /// Whether each parameter is required, by location and name.
    parameters: BTreeMap<String, bool>,
    /// Whether there is a body.
    body: bool,
    /// Statuses of the responses, ranges in capitals.
    statuses: BTreeSet<String>,
}

impl OperationSummary {
    /// The first 2xx or 3xx status. A description has only one.
    fn success(&self) -> Option<String> {
        self.statuses.iter().find(|status| status.starts_with(['2', '3'])).cloned()
    }

    /// Whether a response with `status` is documented, by itself or by a range.
    fn documents(&self, status: &str) -> bool {
        let range = status.get(..1).map(|digit| format!("{digit}XX")).unwrap_or_default();
        [status, range.as_str(), "DEFAULT"].iter().any(|known| self.statuses.contains(*known))
    }
}

/// Method and path.
type Key = (String, String);

/// Compares a server's description with its contract. `routes` are methods and paths that the server has but does not
/// describe, because a variable path only serves the literal ones next to it.
///
/// Fails when a document is not OpenAPI.
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
    // A description without responses, such as one of routes only, is not compared in this respect.
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

/// Whether requests for `key` are routed to `dispatcher`, which has variables where `key` has literals.
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
        statuses: operation.responses.iter().map(|spec| spec.status.text().to_uppercase()).collect(),
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
