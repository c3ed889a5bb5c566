//! Lint rules about the OpenAPI version and the paths: templates, variables, positions, servers.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Report, listed};
use crate::name::METHODS;
use crate::walk::{join, members, operations, path_variables};

pub(super) fn check(document: &Value, report: &mut Report) {
    version(document, report);
    for (path, item) in members(&document["paths"]) {
        template(path, report);
        servers(&join("#/paths", path), path, item, report);
    }
    variables(document, report);
    positions(document, report);
}

fn version(document: &Value, report: &mut Report) {
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.0.") && !version.starts_with("3.1.") {
        let stated = if version.is_empty() {
            "no OpenAPI version".to_owned()
        } else {
            format!("OpenAPI version {version:?}")
        };
        report.add(
            "openapi-version",
            "#/openapi",
            format!("the document states {stated}"),
            "state 3.0.x or 3.1.x",
        );
    }
}

fn template(path: &str, report: &mut Report) {
    let pointer = join("#/paths", path);
    let mut wrong = Vec::new();
    if !path.starts_with('/') {
        wrong.push("does not begin with /");
    }
    if path.contains(['?', '#']) {
        wrong.push("has a query or fragment");
    }
    let in_part = path.split('/').any(|segment| {
        segment.contains(['{', '}'])
            && !(segment.starts_with('{')
                && segment.ends_with('}')
                && segment.len() > 2
                && !segment[1..segment.len() - 1].contains(['{', '}']))
    });
    if in_part {
        wrong.push("has a segment that is neither literal nor one variable");
    }
    if !wrong.is_empty() {
        report.add(
            "path-form",
            &pointer,
            format!("the path {}", wrong.join(" and ")),
            "write /literal/{variable}; declare query parameters as parameters",
        );
    }
    let variables = path_variables(path);
    for (index, variable) in variables.iter().enumerate() {
        if variables[..index].contains(variable) {
            report.add(
                "path-variable-repeated",
                &pointer,
                format!("the template names {{{variable}}} twice"),
                "use a different name for each position",
            );
        }
    }
}

fn servers(pointer: &str, path: &str, item: &Value, report: &mut Report) {
    let places = std::iter::once((pointer.to_owned(), item))
        .chain(METHODS.iter().filter_map(|method| Some((join(pointer, method), item.get(method)?))));
    for (pointer, holder) in places {
        if holder.get("servers").is_some() {
            report.add(
                "path-servers",
                join(&pointer, "servers"),
                format!("{path} has its own base URL"),
                "clients must call it and the server must mount it there",
            );
        }
    }
}

fn variables(document: &Value, report: &mut Report) {
    for operation in operations(document) {
        let in_template = path_variables(operation.path);
        let parameters = operation.parameters(document);
        let declared: Vec<_> = parameters.iter().filter(|parameter| parameter.place == "path").collect();
        for variable in &in_template {
            if !declared.iter().any(|parameter| parameter.name == *variable) {
                report.add(
                    "path-variable-undeclared",
                    operation.pointer(),
                    format!(
                        "the path of {} has {{{variable}}}, but no such parameter is declared",
                        operation.label()
                    ),
                    format!("declare a path parameter named {variable}"),
                );
            }
        }
        for parameter in declared {
            let name = parameter.name;
            if !in_template.contains(&name) {
                report.add(
                    "path-variable-unknown",
                    &parameter.declared_at,
                    format!(
                        "{} declares path parameter {name}, which {} does not have",
                        operation.label(),
                        operation.path
                    ),
                    match in_template.as_slice() {
                        [] => "remove it".to_owned(),
                        names => format!("declare what the path has: {}", listed(names)),
                    },
                );
            }
            if parameter.value["required"] != Value::Bool(true) {
                report.add(
                    "path-variable-optional",
                    &parameter.pointer,
                    format!("path parameter {name} is not required"),
                    "add required: true; path segments are never optional",
                );
            }
        }
    }
}

/// The segments that share one position after the same prefix.
#[derive(Default)]
struct Position<'a> {
    literals: IndexMap<&'a str, Vec<&'a str>>,
    variables: IndexMap<&'a str, Vec<&'a str>>,
}

fn positions(document: &Value, report: &mut Report) {
    // Beginnings with variable names taken out, so that /a/{x}/b and /a/{y}/c share theirs.
    let mut positions: BTreeMap<String, Position<'_>> = BTreeMap::new();
    for (path, _) in members(&document["paths"]) {
        let mut beginning = String::new();
        for segment in path.split('/').skip(1) {
            let position = positions.entry(beginning.clone()).or_default();
            match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(name) => {
                    position.variables.entry(name).or_default().push(path);
                    beginning.push_str("/{}");
                }
                None => {
                    position.literals.entry(segment).or_default().push(path);
                    beginning.push('/');
                    beginning.push_str(segment);
                }
            }
        }
    }
    for (beginning, Position { literals, variables }) in positions {
        let shown = if beginning.is_empty() { "/" } else { &beginning };
        if !literals.is_empty() && !variables.is_empty() {
            let names: Vec<_> = variables.keys().map(|name| format!("{{{name}}}")).collect();
            let words: Vec<_> = literals.keys().copied().collect();
            let path = variables[0].first().copied().unwrap_or_default();
            report.add(
                "path-literal-conflict",
                join("#/paths", path),
                format!("{shown} is followed by {} and by {}", names.join(", "), words.join(", ")),
                "one endpoint serves both and checks the literals first; no id may equal a literal",
            );
        }
        if variables.len() > 1 {
            let names: Vec<_> = variables.keys().copied().collect();
            for (name, paths) in variables.iter().skip(1) {
                report.add(
                    "path-variable-names",
                    join("#/paths", paths[0]),
                    format!("the variable after {shown} has the names {}", names.join(" and ")),
                    format!("use {} in every path, not {name}", names[0]),
                );
            }
        }
    }
}
