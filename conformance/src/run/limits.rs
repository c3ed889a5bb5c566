//! Checks rate limits: sends requests with each credential kind, and without a credential, until the server answers
//! 429.
//!
//! The other checks must not reach a limit. So this uses another server of the same contract with a low limit, and
//! writes to the same record.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::engine::Engine;
use super::tenant::{Tenant, merge};
use crate::checker::Finding;
use crate::contract::{Operation, ParameterLocation};
use crate::draft::{CredentialPlacement, Draft};
use crate::flows::{ExpressionContext, resolve};
use crate::plan::Expectation;
use crate::report::Rule;
use crate::wire::Client;

/// A server that allows more requests than this has no low limit.
const MAX_REQUESTS: usize = 2000;

/// The status of a rate limit.
const TOO_MANY_REQUESTS: u16 = 429;

/// Checks each operation that documents 429 on the limited server of `inputs`, if there is one.
pub async fn run(engine: &Engine, inputs: &Value) -> Result<()> {
    let Some(limited) = &engine.flows.extension.limited else { return Ok(()) };
    let Ok(limited) =
        resolve(limited, &ExpressionContext { inputs: inputs.clone(), ..ExpressionContext::default() })
    else {
        engine.record.note("the inputs have no server with a low rate limit, so 429 was not checked");
        return Ok(());
    };
    let base = limited["baseUrl"].as_str().context("the limited server of the inputs has no baseUrl")?;
    let engine = engine.for_server(Client::new(base, engine.options.timeout)?);
    super::base_request::ensure_reachable(&engine).await?;
    let mut tenant = Tenant { inputs: merge(inputs, &limited), ..Tenant::default() };
    engine.resolve_credentials(&mut tenant, false, |source| source.has_all_scopes()).await?;
    let documented = |operation: &&std::sync::Arc<Operation>| {
        engine.is_selected(operation) && operation.response(TOO_MANY_REQUESTS).is_some()
    };
    for operation in engine.contract.operations.iter().filter(documented) {
        engine.progress.set_message(operation.id.clone());
        let mut draft = Draft::new(operation.clone());
        for parameter in operation.parameters.iter().filter(|one| one.location == ParameterLocation::Path) {
            // The value does not matter: the limit is checked before the path.
            draft.path.insert(parameter.name.clone(), "nothing".to_owned());
        }
        if operation.access.anonymous {
            send_until_limited(&engine, &draft, "without a credential").await;
        }
        for kind in operation.access.kinds.iter().filter_map(|kind| engine.contract.kinds.get(kind)) {
            let holder = tenant.credentials.iter().find(|one| one.kind == kind.name);
            let Some(holder) = holder else { continue };
            draft.credential = Some(CredentialPlacement {
                location: kind.locations[0].clone(),
                value: holder.value.clone(),
            });
            send_until_limited(&engine, &draft, &format!("with {}", holder.name)).await;
        }
    }
    Ok(())
}

/// Sends the same request until it is limited.
async fn send_until_limited(engine: &Engine, draft: &Draft, who: &str) {
    let operation = &draft.operation;
    let Ok(request) = draft.request() else { return };
    let tried = format!("too many requests, {who}");
    let expect = Expectation::Rejected {
        rule: Rule::Limit,
        statuses: vec![TOO_MANY_REQUESTS],
        codes: engine.contract.error_codes("rate_limited"),
        pointer: operation.pointer.clone(),
    };
    for count in 1..=MAX_REQUESTS {
        if engine.stop_reason().is_some() || !engine.record.is_implemented(&operation.id) {
            return;
        }
        engine.record.expect_status(&operation.id, TOO_MANY_REQUESTS);
        let result = engine.client.send(&request).await;
        let more = |response: &crate::wire::Response, findings: &mut Vec<Finding>| {
            if response.status == TOO_MANY_REQUESTS || count == MAX_REQUESTS {
                engine.check_expectation(operation, &expect, response, findings);
                findings.extend(missing_retry_after(operation, response));
            }
        };
        match engine.check_response(operation, &tried, &request, result, more).await {
            Some(response) if response.status != TOO_MANY_REQUESTS => {}
            _ => return,
        }
    }
}

/// A finding if `Retry-After` is documented and missing.
fn missing_retry_after(operation: &Operation, response: &crate::wire::Response) -> Option<Finding> {
    const RETRY_AFTER: &str = "Retry-After";
    let spec = operation.response(response.status).filter(|_| response.status == TOO_MANY_REQUESTS)?;
    let header = spec.headers.iter().find(|header| header.name.eq_ignore_ascii_case(RETRY_AFTER))?;
    // A missing required header has been reported already.
    if header.required || response.header(RETRY_AFTER).is_some() {
        return None;
    }
    Some(Finding::new(Rule::Header, &spec.pointer, format!("the documented header {RETRY_AFTER}"), "none"))
}
