//! Checks methods that a path does not have: each is rejected, and a 405 lists the methods that exist.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::engine::Engine;
use crate::checker::Finding;
use crate::contract::{METHODS, Operation};
use crate::draft::Draft;
use crate::plan::Expectation;
use crate::report::Rule;

/// Tries every missing method of every path.
pub async fn run(engine: &Arc<Engine>) {
    let mut done = BTreeSet::new();
    for operation in &engine.contract.operations {
        let paths = engine.contract.operations.iter().filter(|other| other.path == operation.path);
        let known = |method: &str| paths.clone().any(|other| other.method.eq_ignore_ascii_case(method));
        if !engine.is_selected(operation) || !done.insert(operation.path.clone()) {
            continue;
        }
        for method in METHODS.iter().filter(|method| !known(method)) {
            if engine.stop_reason().is_some() {
                return;
            }
            try_method(engine, operation, &method.to_uppercase()).await;
        }
    }
}

async fn try_method(engine: &Engine, operation: &Arc<Operation>, method: &str) {
    let Some(tenant) = engine.tenant(0) else { return };
    let mut draft = Draft::new(Arc::clone(operation));
    for parameter in &operation.parameters {
        if parameter.location == crate::contract::ParameterLocation::Path {
            let _ = draft.set(parameter, Some(&serde_json::json!("conformance-unknown")));
        }
    }
    draft.credential = engine.credential_placement(tenant, &draft, None).unwrap_or(None);
    draft.method = Some(method.to_owned());
    let Ok(request) = draft.request() else { return };
    // Another operation with a variable path may match this literal path and have the method.
    if engine.contract.route(method, request.path()).is_some() {
        return;
    }
    let has_code = !engine.contract.error_codes("method").is_empty();
    let statuses = if has_code { vec![405] } else { vec![405, 404, 501] };
    let expect = Expectation::Rejected {
        rule: Rule::Method,
        statuses,
        codes: engine.contract.error_codes("method"),
        pointer: operation.pointer.clone(),
    };
    let tried = format!("undocumented method {method}");
    engine
        .call(operation, &tried, &request, |response, findings| {
            if !operation.responses.iter().any(|spec| spec.status.text() == "4XX")
                && operation.response(response.status).is_none()
                && matches!(response.status, 404 | 405 | 501)
            {
                // No operation documents this response, because there is no operation.
                findings.clear();
            }
            if response.status == 405 && findings.is_empty() && has_code {
                // The settings define the error code even if no operation documents it.
                check_error_code(engine, response, findings);
            }
            engine.check_expectation(operation, &expect, response, findings);
            if response.status == 405 {
                engine.record.count_checks([Rule::Allow]);
                check_allow(engine, operation, response, findings);
            }
        })
        .await;
}

/// Checks that a 405 has its error code, in any error shape.
fn check_error_code(engine: &Engine, response: &crate::wire::Response, findings: &mut Vec<Finding>) {
    engine.record.count_checks([Rule::Code]);
    let Some(body) = response.json() else {
        findings.push(Finding::new(Rule::NotJson, "", "an error in JSON", response.summary()));
        return;
    };
    let mut shapes = engine.contract.settings.errors.values();
    let right = shapes.any(|shape| {
        shape.codes.get("method").is_some_and(|code| body[&shape.code].as_str() == Some(code.as_str()))
    });
    if !right {
        findings.push(Finding::new(
            Rule::Code,
            "",
            engine.contract.error_codes("method").join(" or "),
            response.summary(),
        ));
    }
}

fn check_allow(
    engine: &Engine,
    operation: &Operation,
    response: &crate::wire::Response,
    findings: &mut Vec<Finding>,
) {
    let wanted: BTreeSet<String> =
        engine.contract.methods(&operation.path).into_iter().map(str::to_owned).collect();
    let header = response.header("allow").unwrap_or_default();
    let mut given: BTreeSet<String> = header.split(',').map(|one| one.trim().to_uppercase()).collect();
    // Servers answer these two without an operation.
    given.retain(|method| !method.is_empty() && method != "OPTIONS" && method != "HEAD");
    if wanted != given {
        let expected: Vec<String> = wanted.into_iter().collect();
        let expected = format!("Allow: {}", expected.join(", "));
        let seen = if header.is_empty() { "no Allow".to_owned() } else { format!("Allow: {header}") };
        findings.push(Finding::new(Rule::Allow, &operation.pointer, expected, seen));
    }
}
