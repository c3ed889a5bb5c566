//! What is asked too often: a server whose limits are tight is asked by everybody whom it counts, until it refuses.
//!
//! The rest of a run wants limits that it does not reach. So this is another server of the same contract; what it
//! answers goes into the same record.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::engine::Engine;
use super::tenant::{Tenant, overlay};
use crate::contract::{Operation, Place};
use crate::draft::{Carried, Draft};
use crate::flows::{Scope, resolve};
use crate::judge::Finding;
use crate::plan::Expect;
use crate::report::Rule;
use crate::wire::Client;

/// Who may ask so often has no limit that is tight.
const MOST: usize = 2000;

/// The answer of a limit.
const REFUSED: u16 = 429;

/// Asks the limited server of `inputs`, where they have one, for each operation that documents 429.
pub async fn run(engine: &Engine, inputs: &Value) -> Result<()> {
    let Some(limited) = &engine.flows.extra.limited else { return Ok(()) };
    let Ok(limited) = resolve(limited, &Scope { inputs: inputs.clone(), ..Scope::default() }) else {
        engine.record.note("the inputs have no server whose limits are tight: 429 was not tried");
        return Ok(());
    };
    let base = limited["baseUrl"].as_str().context("the limited server of the inputs has no baseUrl")?;
    let engine = engine.beside(Client::new(base, engine.options.patience)?);
    super::seat::reachable(&engine).await?;
    let mut tenant = Tenant { inputs: overlay(inputs, &limited), ..Tenant::default() };
    engine.credentials(&mut tenant, false, |source| source.is_whole()).await?;
    let documented = |operation: &&std::sync::Arc<Operation>| {
        engine.chosen(operation) && operation.answer(REFUSED).is_some()
    };
    for operation in engine.contract.operations.iter().filter(documented) {
        engine.bar.set_message(operation.id.clone());
        let mut draft = Draft::new(operation.clone());
        for parameter in operation.parameters.iter().filter(|one| one.place == Place::Path) {
            // Nobody looks at it: whoever asks too often is not let in so far.
            draft.path.insert(parameter.name.clone(), "nothing".to_owned());
        }
        if operation.access.anonymous {
            until_refused(&engine, &draft, "nobody in particular").await;
        }
        for kind in operation.access.kinds.iter().filter_map(|kind| engine.contract.kinds.get(kind)) {
            let holder = tenant.credentials.iter().find(|one| one.kind == kind.name);
            let Some(holder) = holder else { continue };
            draft.credential = Some(Carried { carry: kind.carry[0].clone(), value: holder.value.clone() });
            until_refused(&engine, &draft, &holder.name).await;
        }
    }
    Ok(())
}

/// Sends the same request until it is refused for that.
async fn until_refused(engine: &Engine, draft: &Draft, who: &str) {
    let operation = &draft.operation;
    let Ok(request) = draft.request() else { return };
    let tried = format!("too often, by {who}");
    let expect = Expect::Refused {
        rule: Rule::Limit,
        statuses: vec![REFUSED],
        codes: engine.contract.codes("rate_limited"),
        pointer: operation.pointer.clone(),
    };
    for count in 1..=MOST {
        if engine.stopped().is_some() || !engine.record.built(&operation.id) {
            return;
        }
        engine.record.aim(&operation.id, REFUSED);
        let answer = engine.client.send(&request).await;
        let more = |response: &crate::wire::Response, findings: &mut Vec<Finding>| {
            if response.status == REFUSED || count == MOST {
                engine.expected(operation, &expect, response, findings);
                findings.extend(hurried(operation, response));
            }
        };
        match engine.answered(operation, &tried, &request, answer, more).await {
            Some(response) if response.status != REFUSED => {}
            _ => return,
        }
    }
}

/// That nobody is told when to come again, although the contract has a place for it.
fn hurried(operation: &Operation, response: &crate::wire::Response) -> Option<Finding> {
    const AGAIN: &str = "Retry-After";
    let answer = operation.answer(response.status).filter(|_| response.status == REFUSED)?;
    let header = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(AGAIN))?;
    // Where it is required, that it is missing was found already.
    if header.required || response.header(AGAIN).is_some() {
        return None;
    }
    Some(Finding::new(Rule::Header, &answer.pointer, format!("{AGAIN}: when to come again"), "none"))
}
