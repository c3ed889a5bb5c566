//! Checks idempotency keys: a repeated request gets the same response and has no second effect, and a different
//! request with the same key is rejected.

use serde_json::{Value, json};

use super::engine::Engine;
use super::state_snapshot::StateSnapshot;
use crate::checker::Finding;
use crate::contract::{IDEMPOTENCY_KEY, ParameterLocation};
use crate::draft::Draft;
use crate::plan::BaseRequest;
use crate::report::Rule;
use crate::wire::{Response, truncate};

/// Checks an operation that has an idempotency key.
pub async fn run(engine: &Engine, base: &BaseRequest) {
    let operation = &base.draft.operation;
    let Some(parameter) = operation.parameter(ParameterLocation::Header, IDEMPOTENCY_KEY) else { return };
    if !engine.record.is_implemented(&operation.id) || engine.stop_reason().is_some() {
        return;
    }
    let Some(mut draft) = base.refresh_draft(engine, &base.draft).await else { return };
    let key = format!("conformance-{}-{}", engine.options.seed, operation.id);
    let unique = chrono::Utc::now().timestamp_micros();
    if draft.set(parameter, Some(&json!(format!("{key}-{unique}")))).is_err() {
        return;
    }
    let Some(first) = send(engine, &draft, "a request with an idempotency key", |_| None).await else {
        return;
    };
    if !first.is_success() {
        return;
    }
    engine.record.count_checks([Rule::Idempotency]);
    let mut snapshot = StateSnapshot::capture(engine, std::slice::from_ref(base)).await;
    let same = |second: &Response| {
        let equal = second.status == first.status && second.body == first.body;
        (!equal).then(|| {
            (format!("the first response again: {}", truncate(&first.summary(), 200)), second.summary())
        })
    };
    if send(engine, &draft, "the same request with the same idempotency key", same).await.is_none() {
        return;
    }
    if let Some(pointer) = snapshot.first_difference(engine).await {
        let seen = || Some(("no second effect".to_owned(), format!("{pointer} changed")));
        send(engine, &draft, "the same request with the same idempotency key", |_| seen()).await;
    }
    if let Some(other) = different_request(engine, base, &draft).await {
        engine.record.expect_status(&operation.id, 422);
        let refused = |response: &Response| {
            (response.status != 422).then(|| ("rejected with 422".to_owned(), response.summary()))
        };
        send(engine, &other, "another request with the same idempotency key", refused).await;
    }
}

async fn send(
    engine: &Engine,
    draft: &Draft,
    tried: &str,
    wrong: impl FnOnce(&Response) -> Option<(String, String)>,
) -> Option<Response> {
    let request = draft.request().ok()?;
    engine
        .call(&draft.operation, tried, &request, |response, findings| {
            if response.status < 500
                && let Some((expected, seen)) = wrong(response)
            {
                findings.push(Finding::new(Rule::Idempotency, "", expected, seen));
            }
        })
        .await
}

/// A valid request that differs from `draft`: in its body or, without a body, in its path.
async fn different_request(engine: &Engine, base: &BaseRequest, draft: &Draft) -> Option<Draft> {
    let Some(body) = draft.value() else {
        let other = base.refresh_draft(engine, &base.draft).await?;
        return (other.path != draft.path).then(|| Draft { path: other.path, ..draft.clone() });
    };
    let payload = draft.body.as_ref()?;
    let documented = draft.operation.body.as_ref()?.media.get(payload.media.as_deref()?)?;
    let cases = engine.contract.schema(documented.schema.as_ref()?).ok()?.boundaries(Some(body)).ok()?;
    let other: Value = cases.cases.into_iter().map(|case| case.value).find(|value| value != body)?;
    Some(draft.with_value(other))
}
