//! Finds the seat of each operation: the request that works, with the steps before it done.

use anyhow::{Result, bail};
use serde_json::Value;

use super::engine::Engine;
use super::flow::spots;
use super::halt::Halt;
use super::tenant::Tenant;
use crate::contract::{Operation, Parameter};
use crate::draft::{Content, Draft, Payload};
use crate::flows::Scope;
use crate::plan::Seat;
use crate::wire::{Failure, Request};

/// Whether there is a server at all.
pub async fn reachable(engine: &Engine) -> Result<()> {
    let request = Request { method: "GET".to_owned(), target: "/".to_owned(), ..Request::default() };
    match engine.client.send(&request).await {
        Ok(_) => Ok(()),
        Err(Failure::TimeOut) => bail!("{} does not answer", engine.client.base),
        Err(Failure::Broken(problem) | Failure::Unsendable(problem)) => {
            bail!("no server answers at {}: {problem}", engine.client.base)
        }
    }
}

/// The seats of all operations that the server has and the run looks at.
pub async fn all(engine: &Engine) -> Vec<Seat> {
    let mut seats = Vec::new();
    for operation in engine.contract.operations.iter().filter(|operation| engine.chosen(operation)) {
        if !engine.record.built(&operation.id) {
            continue;
        }
        match seat(engine, operation).await {
            Ok(seat) => seats.push(seat),
            Err(Halt::NotBuilt(needed)) => {
                let why = format!("it needs {needed}, which the server does not have yet");
                engine.record.not_built(&operation.id, &why);
            }
            Err(halt) => engine.record.untried(&operation.id, &halt.to_string()),
        }
    }
    seats
}

async fn seat(engine: &Engine, operation: &std::sync::Arc<Operation>) -> Result<Seat, Halt> {
    let failed = |error: anyhow::Error| Halt::Failed(format!("{error:#}"));
    let Some(tenant) = engine.tenant(0) else { return Err(Halt::Failed("there is no tenant".to_owned())) };
    let access = &operation.access;
    if !access.anonymous && tenant.credential(operation, None).is_none() {
        return Err(tenant.without(&access.kinds));
    }
    let Some((workflow, index)) =
        engine.flows.seat(&operation.id, |workflow| workflow.lacks(&tenant.inputs).is_none())
    else {
        let draft = plain(engine, tenant, operation).map_err(failed)?;
        return Ok(Seat { flow: None, draft, scope: Scope::default(), other: None, spots: Vec::new() });
    };
    let step = &workflow.steps[index];
    let scope = engine.steps(tenant, workflow, index).await?;
    let draft = engine.draft(tenant, step, &scope).map_err(failed)?;
    let mut other = None;
    if let Some(second) = engine.tenant(1)
        && let Ok(scope) = engine.steps(second, workflow, index).await
    {
        other = engine.draft(second, step, &scope).ok();
    }
    let flow = Some((workflow.workflow_id.clone(), index));
    Ok(Seat { flow, draft, scope, other, spots: spots(engine, step) })
}

/// A request made of the contract's examples and, where there are none, of plain values.
fn plain(engine: &Engine, tenant: &Tenant, operation: &std::sync::Arc<Operation>) -> Result<Draft> {
    let mut draft = Draft::new(operation.clone());
    let value = |examples: &[Value], schema: Option<&String>| -> Result<Value> {
        if let Some(example) = examples.first() {
            return Ok(example.clone());
        }
        match schema {
            Some(pointer) => Ok(engine.contract.schema(pointer)?.plain()?),
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
    draft.credential = engine.carried(tenant, &draft, None)?;
    Ok(draft)
}

impl Seat {
    /// `draft` as if the steps before had been done for it anew.
    pub async fn renewed(&self, engine: &Engine, draft: &Draft) -> Option<Draft> {
        let fresh = self.anew(engine).await?;
        Some(exchanged(draft, &self.draft, &fresh.draft))
    }

    /// The same seat with the steps before done anew.
    pub async fn anew(&self, engine: &Engine) -> Option<Self> {
        let Some((workflow, index)) = &self.flow else { return Some(self.clone()) };
        let (tenant, workflow) = (engine.tenant(0)?, engine.flows.workflow(workflow)?);
        let scope = engine.steps(tenant, workflow, *index).await.ok()?;
        let draft = engine.draft(tenant, &workflow.steps[*index], &scope).ok()?;
        Some(Self { draft, scope, ..self.clone() })
    }
}

/// `draft`, a variation of `old`, as a variation of `new`: what it has of `old` it gets of `new`.
fn exchanged(draft: &Draft, old: &Draft, new: &Draft) -> Draft {
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
        leaves(value, old, new);
    }
    out
}

fn leaves(value: &mut Value, old: &Value, new: &Value) {
    match (value, old, new) {
        (Value::Object(members), Value::Object(old), Value::Object(new)) => {
            for (name, member) in members {
                if let (Some(old), Some(new)) = (old.get(name), new.get(name)) {
                    leaves(member, old, new);
                }
            }
        }
        (Value::Array(items), Value::Array(old), Value::Array(new)) => {
            for ((item, old), new) in items.iter_mut().zip(old).zip(new) {
                leaves(item, old, new);
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
    fn a_variation_keeps_its_change_and_takes_what_is_fresh() {
        let old = json!({ "email": "a@x", "tags": ["t1"], "name": "Ada" });
        let new = json!({ "email": "b@x", "tags": ["t2"], "name": "Ada" });
        let mut value = json!({ "email": "a@x", "tags": ["t1"], "name": "", "more": 1 });
        leaves(&mut value, &old, &new);
        assert_eq!(value, json!({ "email": "b@x", "tags": ["t2"], "name": "", "more": 1 }));
    }
}
