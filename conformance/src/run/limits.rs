//! What is asked too often: a server whose limits are tight is asked by everybody whom it counts, until it refuses.
//!
//! The rest of a run wants limits that it does not reach. So this is another server of the same contract; what it
//! answers goes into the same record.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::engine::Engine;
use super::tenant::{Tenant, merge};
use crate::checker::Finding;
use crate::contract::{Operation, ParameterLocation};
use crate::draft::{CredentialPlacement, Draft};
use crate::flows::{Scope, resolve};
use crate::plan::Expectation;
use crate::report::Rule;
use crate::wire::Client;

/// Who may ask so often has no limit that is tight.
const MAX_REQUESTS: usize = 2000;

/// The answer of a limit.
const TOO_MANY_REQUESTS: u16 = 429;

/// Asks the limited server of `inputs`, where they have one, for each operation that documents 429.
pub async fn run(engine: &Engine, inputs: &Value) -> Result<()> {
    let Some(limited) = &engine.flows.extra.limited else { return Ok(()) };
    let Ok(limited) = resolve(limited, &Scope { inputs: inputs.clone(), ..Scope::default() }) else {
        engine.record.note("the inputs have no server whose limits are tight: 429 was not tried");
        return Ok(());
    };
    let base = limited["baseUrl"].as_str().context("the limited server of the inputs has no baseUrl")?;
    let engine = engine.for_server(Client::new(base, engine.options.timeout)?);
    super::base_request::ensure_reachable(&engine).await?;
    let mut tenant = Tenant { inputs: merge(inputs, &limited), ..Tenant::default() };
    engine.resolve_credentials(&mut tenant, false, |source| source.is_whole()).await?;
    let documented = |operation: &&std::sync::Arc<Operation>| {
        engine.is_selected(operation) && operation.response(TOO_MANY_REQUESTS).is_some()
    };
    for operation in engine.contract.operations.iter().filter(documented) {
        engine.progress.set_message(operation.id.clone());
        let mut draft = Draft::new(operation.clone());
        for parameter in operation.parameters.iter().filter(|one| one.location == ParameterLocation::Path) {
            // Nobody looks at it: whoever asks too often is not let in so far.
            draft.path.insert(parameter.name.clone(), "nothing".to_owned());
        }
        if operation.access.anonymous {
            send_until_limited(&engine, &draft, "nobody in particular").await;
        }
        for kind in operation.access.kinds.iter().filter_map(|kind| engine.contract.kinds.get(kind)) {
            let holder = tenant.credentials.iter().find(|one| one.kind == kind.name);
            let Some(holder) = holder else { continue };
            draft.credential = Some(CredentialPlacement {
                location: kind.locations[0].clone(),
                value: holder.value.clone(),
            });
            send_until_limited(&engine, &draft, &holder.name).await;
        }
    }
    Ok(())
}

/// Sends the same request until it is refused for that.
async fn send_until_limited(engine: &Engine, draft: &Draft, who: &str) {
    let operation = &draft.operation;
    let Ok(request) = draft.request() else { return };
    let tried = format!("too often, by {who}");
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
        let answer = engine.client.send(&request).await;
        let more = |response: &crate::wire::Response, findings: &mut Vec<Finding>| {
            if response.status == TOO_MANY_REQUESTS || count == MAX_REQUESTS {
                engine.check_expectation(operation, &expect, response, findings);
                findings.extend(missing_retry_after(operation, response));
            }
        };
        match engine.check_response(operation, &tried, &request, answer, more).await {
            Some(response) if response.status != TOO_MANY_REQUESTS => {}
            _ => return,
        }
    }
}

/// That nobody is told when to come again, although the contract has a place for it.
fn missing_retry_after(operation: &Operation, response: &crate::wire::Response) -> Option<Finding> {
    const RETRY_AFTER: &str = "Retry-After";
    let answer = operation.response(response.status).filter(|_| response.status == TOO_MANY_REQUESTS)?;
    let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(RETRY_AFTER))?;
    // Where it is required, that it is missing was found already.
    if header.required || response.header(RETRY_AFTER).is_some() {
        return None;
    }
    Some(Finding::new(Rule::Header, &answer.pointer, format!("{RETRY_AFTER}: when to come again"), "none"))
}
