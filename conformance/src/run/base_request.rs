//! Finds the base request of each operation, after executing the steps before it.

use anyhow::{Result, bail};
use serde_json::Value;

use super::engine::Engine;
use super::flow::id_locations;
use super::flow_error::FlowError;
use super::tenant::Tenant;
use crate::contract::{Operation, Parameter};
use crate::draft::{Content, Draft, Payload};
use crate::flows::ExpressionContext;
use crate::plan::BaseRequest;
use crate::wire::{Request, SendError};

/// Fails when no server responds.
pub async fn ensure_reachable(engine: &Engine) -> Result<()> {
    let request = Request { method: "GET".to_owned(), target: "/".to_owned(), ..Request::default() };
    match engine.client.send(&request).await {
        Ok(_) => Ok(()),
        Err(SendError::Timeout) => bail!("{} does not respond", engine.client.base),
        Err(SendError::Connection(problem) | SendError::InvalidRequest(problem)) => {
            bail!("cannot connect to {}: {problem}", engine.client.base)
        }
    }
}

/// Returns the base requests of all selected operations that are implemented.
pub async fn find_all(engine: &Engine) -> Vec<BaseRequest> {
    let mut base_requests = Vec::new();
    for operation in engine.contract.operations.iter().filter(|operation| engine.is_selected(operation)) {
        if !engine.record.is_implemented(&operation.id) {
            continue;
        }
        match find(engine, operation).await {
            Ok(base) => base_requests.push(base),
            Err(FlowError::NotImplemented(needed)) => {
                let why = format!("it needs {needed}, which the server does not implement");
                engine.record.mark_not_implemented(&operation.id, &why);
            }
            Err(error) => engine.record.mark_untested(&operation.id, &error.to_string()),
        }
    }
    base_requests
}

async fn find(engine: &Engine, operation: &std::sync::Arc<Operation>) -> Result<BaseRequest, FlowError> {
    let failed = |error: anyhow::Error| FlowError::Failed(format!("{error:#}"));
    let Some(tenant) = engine.tenant(0) else {
        return Err(FlowError::Failed("there is no tenant".to_owned()));
    };
    let access = &operation.access;
    if !access.anonymous && tenant.credential(operation, None).is_none() {
        return Err(tenant.missing_credential(&access.kinds));
    }
    let Some((workflow, index)) =
        engine.flows.base_step(&operation.id, |workflow| workflow.input_problem(&tenant.inputs).is_none())
    else {
        let draft = request_from_examples(engine, tenant, operation).map_err(failed)?;
        return Ok(BaseRequest {
            flow: None,
            draft,
            context: ExpressionContext::default(),
            other_tenant: None,
            id_locations: Vec::new(),
        });
    };
    let step = &workflow.steps[index];
    let context = engine.run_steps(tenant, workflow, index).await?;
    let draft = engine.draft(tenant, step, &context).map_err(failed)?;
    let mut other_tenant = None;
    if let Some(second) = engine.tenant(1)
        && let Ok(context) = engine.run_steps(second, workflow, index).await
    {
        other_tenant = engine.draft(second, step, &context).ok();
    }
    let flow = Some((workflow.workflow_id.clone(), index));
    Ok(BaseRequest { flow, draft, context, other_tenant, id_locations: id_locations(engine, step) })
}

/// Builds a request from the contract's examples or, without examples, from minimal values.
fn request_from_examples(
    engine: &Engine,
    tenant: &Tenant,
    operation: &std::sync::Arc<Operation>,
) -> Result<Draft> {
    let mut draft = Draft::new(operation.clone());
    let value = |examples: &[Value], schema: Option<&String>| -> Result<Value> {
        if let Some(example) = examples.first() {
            return Ok(example.clone());
        }
        match schema {
            Some(pointer) => Ok(engine.contract.schema(pointer)?.minimal()?),
            None => Ok(Value::String("text".to_owned())),
        }
    };
    let needed = |one: &&Parameter| one.required;
    for parameter in operation.parameters.iter().filter(needed) {
        let value = value(&parameter.examples, parameter.schema.as_ref())?;
        draft.set(parameter, Some(&value))?;
    }
    if let Some(body) = &operation.body
        && let Some((name, media)) = body.media.first()
        && (body.required || !media.examples.is_empty())
    {
        let content = Content::Value(value(&media.examples, media.schema.as_ref())?);
        draft.body = Some(Payload { media: Some(name.clone()), content });
    }
    draft.credential = engine.credential_placement(tenant, &draft, None)?;
    Ok(draft)
}

impl BaseRequest {
    /// Executes the steps before this request again, and returns `draft` with the ids that they created.
    pub async fn refresh_draft(&self, engine: &Engine, draft: &Draft) -> Option<Draft> {
        let fresh = self.refresh(engine).await?;
        Some(replace_stale_parts(draft, &self.draft, &fresh.draft))
    }

    /// Executes the steps before this request again.
    pub async fn refresh(&self, engine: &Engine) -> Option<Self> {
        let Some((workflow, index)) = &self.flow else { return Some(self.clone()) };
        let (tenant, workflow) = (engine.tenant(0)?, engine.flows.workflow(workflow)?);
        let context = engine.run_steps(tenant, workflow, *index).await.ok()?;
        let draft = engine.draft(tenant, &workflow.steps[*index], &context).ok()?;
        Some(Self { draft, context, ..self.clone() })
    }
}

/// Returns `draft`, which is a variation of `old`, as the same variation of `new`: parts equal to those of `old` are
/// taken from `new`.
fn replace_stale_parts(draft: &Draft, old: &Draft, new: &Draft) -> Draft {
    let mut out = draft.clone();
    for (name, value) in &mut out.path {
        if old.path.get(name) == Some(value)
            && let Some(fresh) = new.path.get(name)
        {
            value.clone_from(fresh);
        }
    }
    let lists = [
        (&mut out.query, &old.query, &new.query),
        (&mut out.headers, &old.headers, &new.headers),
        (&mut out.cookies, &old.cookies, &new.cookies),
    ];
    for (list, old, new) in lists {
        for pair in list.iter_mut() {
            let at = old.iter().position(|known| known == pair);
            if let Some(fresh) = at.and_then(|at| new.get(at)).filter(|fresh| fresh.0 == pair.0) {
                pair.clone_from(fresh);
            }
        }
    }
    if draft.credential == old.credential {
        out.credential.clone_from(&new.credential);
    }
    if draft.body == old.body {
        out.body.clone_from(&new.body);
    } else if let (Some(body), Some(old), Some(new)) = (&mut out.body, old.value(), new.value())
        && let Content::Value(value) = &mut body.content
    {
        replace_stale_values(value, old, new);
    }
    out
}

fn replace_stale_values(value: &mut Value, old: &Value, new: &Value) {
    match (value, old, new) {
        (Value::Object(members), Value::Object(old), Value::Object(new)) => {
            for (name, member) in members {
                if let (Some(old), Some(new)) = (old.get(name), new.get(name)) {
                    replace_stale_values(member, old, new);
                }
            }
        }
        (Value::Array(items), Value::Array(old), Value::Array(new)) => {
            for ((item, old), new) in items.iter_mut().zip(old).zip(new) {
                replace_stale_values(item, old, new);
            }
        }
        (value, old, new) => {
            if value == old {
                value.clone_from(new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refresh_keeps_the_change_of_a_variation() {
        let old = json!({ "email": "a@x", "tags": ["t1"], "name": "Ada" });
        let new = json!({ "email": "b@x", "tags": ["t2"], "name": "Ada" });
        let mut value = json!({ "email": "a@x", "tags": ["t1"], "name": "", "more": 1 });
        replace_stale_values(&mut value, &old, &new);
        assert_eq!(value, json!({ "email": "b@x", "tags": ["t2"], "name": "", "more": 1 }));
    }
}
