//! Executes flows: builds the request of each step, sends it, checks its criteria and stores its outputs.

use anyhow::{Result, anyhow, bail};
use indexmap::IndexMap;
use serde_json::Value;

use super::engine::Engine;
use super::flow_error::FlowError;
use super::tenant::{Tenant, merge};
use crate::checker::Finding;
use crate::contract::{Operation, ParameterLocation};
use crate::credential::Credential;
use crate::draft::{Content, CredentialPlacement, Draft, Payload};
use crate::flows::{
    CredentialSource, ExpressionContext, Step, Workflow, evaluate_condition, mentions, resolve,
};
use crate::plan::IdLocation;
use crate::report::Rule;
use crate::values::escape;

/// Prefixes of expressions whose values the server created.
const SERVER_VALUE_ROOTS: [&str; 2] = ["$steps.", "$workflows."];

/// Where the request of a step contains values that the server created.
pub fn id_locations(engine: &Engine, step: &Step) -> Vec<IdLocation> {
    let mut out = Vec::new();
    for parameter in &step.parameters {
        if mentions(&parameter.value, &SERVER_VALUE_ROOTS)
            && let Some(place) = step.place(parameter, &engine.contract)
        {
            out.push(IdLocation::Parameter(place, parameter.name.clone()));
        }
    }
    if let Some(body) = &step.request_body {
        collect_id_locations(&body.payload, &mut String::new(), &mut out);
    }
    out
}

fn collect_id_locations(template: &Value, at: &mut String, out: &mut Vec<IdLocation>) {
    let mut inside = |token: &str, inner: &Value| {
        let length = at.len();
        at.push('/');
        at.push_str(&escape(token));
        collect_id_locations(inner, at, out);
        at.truncate(length);
    };
    match template {
        Value::Object(members) => members.iter().for_each(|(name, member)| inside(name, member)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| inside(&index.to_string(), item));
        }
        Value::String(_) if mentions(template, &SERVER_VALUE_ROOTS) => out.push(IdLocation::Body(at.clone())),
        _ => {}
    }
}

impl Engine {
    /// Builds the request of a step.
    pub fn draft(&self, tenant: &Tenant, step: &Step, context: &ExpressionContext) -> Result<Draft> {
        let operation = self
            .contract
            .operation(&step.operation_id)
            .ok_or_else(|| anyhow!("the contract has no operation {}", step.operation_id))?;
        let mut draft = Draft::new(operation.clone());
        for parameter in &step.parameters {
            let value = resolve(&parameter.value, context)?;
            let known = step
                .place(parameter, &self.contract)
                .map(|place| (place, operation.parameter(place, &parameter.name)));
            match known {
                Some((_, Some(declared))) => draft.set(declared, Some(&value))?,
                // Cookies and headers that the contract does not declare are sent, too.
                Some((place, None)) => {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    match place {
                        ParameterLocation::Cookie => draft.cookies.push((parameter.name.clone(), text)),
                        ParameterLocation::Header => draft.headers.push((parameter.name.clone(), text)),
                        ParameterLocation::Query => draft.query.push((parameter.name.clone(), text)),
                        ParameterLocation::Path => drop(draft.path.insert(parameter.name.clone(), text)),
                    }
                }
                None => {}
            }
        }
        if let Some(body) = &step.request_body {
            let first = operation.body.as_ref().and_then(|body| body.media.keys().next().cloned());
            draft.body = Some(Payload {
                media: body.content_type.clone().or(first),
                content: Content::Value(resolve(&body.payload, context)?),
            });
        }
        draft.credential = match &step.credential {
            Some(text) if text.starts_with('$') => {
                Some(self.credential_from_expression(operation, text, context)?)
            }
            wanted => self.credential_placement(tenant, &draft, wanted.as_deref())?,
        };
        Ok(draft)
    }

    /// The credential for the operation of `draft`, in its usual location.
    pub fn credential_placement(
        &self,
        tenant: &Tenant,
        draft: &Draft,
        wanted: Option<&str>,
    ) -> Result<Option<CredentialPlacement>> {
        let operation = &draft.operation;
        let access = &operation.access;
        match tenant.credential(operation, wanted) {
            Some(credential) => {
                let location = self.contract.kinds[&credential.kind].locations[0].clone();
                Ok(Some(CredentialPlacement { location, value: credential.value.clone() }))
            }
            None if wanted == Some("none") || access.anonymous => Ok(None),
            None => Err(anyhow!("there is no credential of kind {}", access.kinds.join(" or "))),
        }
    }

    /// The credential that an expression evaluates to, sent as the first kind that the operation accepts.
    fn credential_from_expression(
        &self,
        operation: &Operation,
        expression: &str,
        context: &ExpressionContext,
    ) -> Result<CredentialPlacement> {
        let Value::String(value) = resolve(&Value::String(expression.to_owned()), context)? else {
            bail!("{expression} does not evaluate to a credential");
        };
        let Some(kind) = operation.access.kinds.first() else {
            bail!("{} accepts no credential", operation.id);
        };
        let mut masks = self.masks.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        masks.add(expression.trim_start_matches('$'), &value);
        Ok(CredentialPlacement { location: self.contract.kinds[kind].locations[0].clone(), value })
    }

    /// Executes the first `until` steps of a flow.
    pub async fn run_steps(
        &self,
        tenant: &Tenant,
        workflow: &Workflow,
        until: usize,
    ) -> Result<ExpressionContext, FlowError> {
        let mut context = tenant.context();
        for step in workflow.steps.iter().take(until) {
            self.run_step(tenant, workflow, step, &mut context).await?;
        }
        Ok(context)
    }

    async fn run_step(
        &self,
        tenant: &Tenant,
        workflow: &Workflow,
        step: &Step,
        context: &mut ExpressionContext,
    ) -> Result<(), FlowError> {
        let name = format!("{}/{}", workflow.workflow_id, step.step_id);
        let failed = |reason: String| FlowError::Failed(format!("flow {name}: {reason}"));
        if !self.record.is_implemented(&step.operation_id) {
            return Err(FlowError::NotImplemented(step.operation_id.clone()));
        }
        let draft = self.draft(tenant, step, context).map_err(|error| failed(error.to_string()))?;
        let request = draft.request().map_err(|error| failed(error.to_string()))?;
        let tried = match step.description.as_str() {
            "" => format!("flow {name}"),
            words => format!("flow {name}: {words}"),
        };
        if let Some(status) = step.status() {
            self.record.expect_status(&step.operation_id, status);
        }
        let mut broken = None;
        let mut after = context.clone();
        let response = self
            .call(&draft.operation, &tried, &request, |response, findings| {
                after.exchange = Some((request.clone(), response.clone()));
                broken = check_criteria(step, &after).err();
                self.record.count_checks([if step.success_criteria.len() > 1 {
                    Rule::Effect
                } else {
                    Rule::Refused
                }]);
                if let Some((condition, effect)) = &broken {
                    let rule = if *effect { Rule::Effect } else { Rule::Refused };
                    let pointer = format!("{name}#{condition}");
                    findings.push(Finding::new(rule, pointer, condition, response.summary()));
                }
            })
            .await;
        let Some(response) = response else { return Err(failed("no response".to_owned())) };
        if !self.record.is_implemented(&step.operation_id) {
            return Err(FlowError::NotImplemented(step.operation_id.clone()));
        }
        if let Some((condition, _)) = broken {
            return Err(failed(format!("{condition} is false: {}", response.summary())));
        }
        let outputs: Result<IndexMap<String, Value>> =
            step.outputs.iter().map(|(name, value)| Ok((name.clone(), resolve(value, &after)?))).collect();
        after.steps.insert(step.step_id.clone(), outputs.map_err(|error| failed(error.to_string()))?);
        *context = after;
        Ok(())
    }

    /// Executes a flow after those that it depends on, and stores its outputs.
    async fn run_flow(&self, tenant: &mut Tenant, workflow: &Workflow) -> Result<(), FlowError> {
        if tenant.workflows.contains_key(&workflow.workflow_id) {
            return Ok(());
        }
        if let Some(lacking) = workflow.input_problem(&tenant.inputs) {
            let name = &workflow.workflow_id;
            return Err(FlowError::Skipped(format!(
                "flow {name} is skipped, because the inputs do not satisfy its schema: {lacking}"
            )));
        }
        for needed in workflow.depends_on.iter().filter_map(|needed| self.flows.workflow(needed)) {
            // This flow is not skipped itself; it lacks the outputs of a skipped one.
            Box::pin(self.run_flow(tenant, needed)).await.map_err(|error| match error {
                FlowError::Skipped(reason) => FlowError::Failed(reason),
                other => other,
            })?;
        }
        let context = self.run_steps(tenant, workflow, workflow.steps.len()).await?;
        let outputs: Result<IndexMap<String, Value>> = workflow
            .outputs
            .iter()
            .map(|(name, value)| Ok((name.clone(), resolve(value, &context)?)))
            .collect();
        let outputs =
            outputs.map_err(|error| FlowError::Failed(format!("flow {}: {error}", workflow.workflow_id)))?;
        let left = context.steps.values().flat_map(|outputs| outputs.values());
        tenant.created_values.extend(left.filter_map(Value::as_str).map(str::to_owned));
        tenant.workflows.insert(workflow.workflow_id.clone(), outputs);
        Ok(())
    }

    /// Prepares the tenants: resolves their credentials, then executes all flows.
    ///
    /// Fails when a required credential is missing from the inputs.
    pub async fn prepare_tenants(&self, inputs: &Value) -> Result<Vec<Tenant>> {
        let mut all = vec![inputs.clone()];
        if let Some(other) = &self.flows.extension.other_tenant {
            let context = ExpressionContext { inputs: inputs.clone(), ..ExpressionContext::default() };
            match resolve(other, &context) {
                Ok(other) => all.push(merge(inputs, &other)),
                Err(_) => {
                    self.record.note("the inputs have no second tenant, so tenant isolation was not checked")
                }
            }
        }
        let mut tenants = Vec::new();
        for (index, inputs) in all.into_iter().enumerate() {
            let mut tenant = Tenant { inputs, ..Tenant::default() };
            self.resolve_credentials(&mut tenant, index == 0, |_| true).await?;
            for workflow in &self.flows.workflows {
                match self.run_flow(&mut tenant, workflow).await {
                    Ok(()) => {}
                    Err(FlowError::Skipped(reason)) => self.record.note(reason),
                    Err(error) => {
                        self.record.note(format!("flow {} stopped: {error}", workflow.workflow_id));
                    }
                }
            }
            tenants.push(tenant);
        }
        Ok(tenants)
    }

    /// Resolves the credentials for which `wanted` is true. Missing ones are an error or a note for the `first`
    /// tenant only.
    pub(super) async fn resolve_credentials(
        &self,
        tenant: &mut Tenant,
        first: bool,
        wanted: impl Fn(&CredentialSource) -> bool,
    ) -> Result<()> {
        for source in self.flows.extension.credentials.iter().filter(|source| wanted(source)) {
            let mut problem = None;
            for workflow in &self.flows.workflows {
                if mentions(&source.value, &[&format!("$workflows.{}.", workflow.workflow_id)])
                    && let Err(error) = self.run_flow(tenant, workflow).await
                {
                    if let FlowError::NotImplemented(operation) = &error {
                        tenant.unavailable_kinds.insert(source.kind.clone(), operation.clone());
                    }
                    problem = Some(error.to_string());
                }
            }
            match resolve(&source.value, &tenant.context()) {
                Ok(Value::String(value)) => {
                    let mut masks = self.masks.write().unwrap_or_else(std::sync::PoisonError::into_inner);
                    masks.add(&source.name, &value);
                    drop(masks);
                    tenant.credentials.push(Credential {
                        name: source.name.clone(),
                        kind: source.kind.clone(),
                        value,
                        scopes: source.scopes.clone(),
                        role: source.role.clone(),
                        state: source.state.clone(),
                        refused: source.refused.clone(),
                    });
                }
                Ok(other) => self.record.note(format!("credential {:?} is not text: {other}", source.name)),
                // Credentials that must be accepted are required. The others are tested if they exist.
                Err(error) if first && source.is_usable() && mentions(&source.value, &["$inputs."]) => {
                    bail!("credential {:?} is missing: {error}; add it to the file of --inputs", source.name)
                }
                Err(error) if first => {
                    let why = problem.unwrap_or_else(|| error.to_string());
                    self.record.note(format!("credential {:?} is missing: {why}", source.name));
                }
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Checks the criteria of a step. The error is the failed condition, and whether it is about effects.
fn check_criteria(step: &Step, context: &ExpressionContext) -> Result<(), (String, bool)> {
    if step.success_criteria.is_empty() {
        let success = context.exchange.as_ref().is_some_and(|(_, response)| response.is_success());
        return if success { Ok(()) } else { Err(("$statusCode is 2xx".to_owned(), false)) };
    }
    for criterion in &step.success_criteria {
        match evaluate_condition(&criterion.condition, context) {
            Ok(true) => {}
            Ok(false) => {
                // A success that was rejected is not a wrong effect.
                let plain = criterion.condition.trim_start().starts_with("$statusCode == 2");
                return Err((criterion.condition.clone(), !plain));
            }
            Err(error) => return Err((format!("{}: {error}", criterion.condition), true)),
        }
    }
    Ok(())
}
