//! Flows: the order in which operations are called, so that each has the ids that it needs.
//!
//! A flow document is Arazzo 1.0. People can read it, other tools can run it, and it works for any server of the same
//! contract. It is data instead of code with a generated client, because a run knows nothing but documents: the same
//! command checks a server for which no client was generated.
//!
//! A step is the base step of its operation: a run executes the steps before it and then sends variations of its request.
//! This module reads flows; `run` executes them.

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexMap;
use jsonschema::{Draft, Validator};
use serde::Deserialize;
use serde_json::Value;

use crate::contract::{Contract, ParameterLocation};

mod expression;
mod load;

pub use expression::{ExpressionContext, evaluate_condition, mentions, resolve};
pub use load::{Document, read};

/// A flow document, or several that were merged.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Flows {
    /// The version of Arazzo: `1.0.1`.
    pub arazzo: String,
    /// The flows.
    #[serde(default)]
    pub workflows: Vec<Workflow>,
    /// The extension of this crate.
    #[serde(default, rename = "x-conformance")]
    pub extension: Extension,
}

/// Members that Arazzo does not define.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// Expression of the inputs of a second tenant, which are merged over those of the first.
    pub other_tenant: Option<Value>,
    /// Expression of the inputs of a server with a low rate limit, with its `baseUrl`; they are merged over those of
    /// the first.
    pub limited: Option<Value>,
    /// The credentials in order of preference.
    #[serde(default)]
    pub credentials: Vec<CredentialSource>,
    /// Statuses that no request can cause.
    #[serde(default)]
    pub unreachable: Vec<Unreachable>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, Deserialize)]
pub struct CredentialSource {
    /// Name in reports.
    pub name: String,
    /// The name of its kind.
    pub kind: String,
    /// Expression of the credential.
    pub value: Value,
    /// Scopes; all if left out.
    pub scopes: Option<Vec<String>>,
    /// The role in which it acts, if it has one.
    pub role: Option<String>,
    /// Why it is invalid: `revoked`, `expired`, `disabled`.
    pub state: Option<String>,
    /// How it is rejected although it is valid.
    pub refused: Option<Refusal>,
}

impl CredentialSource {
    /// Whether it is accepted anywhere.
    pub fn is_usable(&self) -> bool {
        self.state.is_none() && self.refused.is_none()
    }

    /// Whether it is accepted everywhere its kind is.
    pub fn has_all_scopes(&self) -> bool {
        self.scopes.is_none() && self.is_usable()
    }
}

/// How a valid credential is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// The status: `403`.
    pub status: u16,
    /// The error code.
    pub code: String,
    /// The operations that reject it; all if left out.
    pub operations: Option<Vec<String>>,
}

impl Refusal {
    /// Whether it applies to an operation.
    pub fn applies_to(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|all| all.iter().any(|one| one == operation))
    }
}

/// A status of an operation that no request can cause.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreachable {
    /// The operationId.
    pub operation_id: String,
    /// The status: `409`.
    pub status: String,
    /// The reason, for reports.
    pub reason: String,
    /// Expression of an input. If the input exists, the status can be caused.
    pub without: Option<Value>,
}

/// A flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// Name.
    pub workflow_id: String,
    /// JSON Schema of the inputs. The flow is skipped if they do not satisfy it.
    pub inputs: Option<Value>,
    /// Flows whose outputs it uses.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The outputs, for other flows.
    #[serde(default)]
    pub outputs: IndexMap<String, Value>,
}

/// A step of a flow: one call.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name.
    pub step_id: String,
    /// What it shows, for reports.
    #[serde(default)]
    pub description: String,
    /// The operation to call.
    pub operation_id: String,
    /// The parameters.
    #[serde(default)]
    pub parameters: Vec<StepParameter>,
    /// The request body.
    pub request_body: Option<StepBody>,
    /// Conditions on the response.
    #[serde(default)]
    pub success_criteria: Vec<Criterion>,
    /// The outputs, for later steps.
    #[serde(default)]
    pub outputs: IndexMap<String, Value>,
    /// Name or kind of the credential to use, or an expression of one; `none` for no credential.
    #[serde(rename = "x-as")]
    pub credential: Option<String>,
}

/// A parameter of a step.
#[derive(Debug, Clone, Deserialize)]
pub struct StepParameter {
    /// Name.
    pub name: String,
    /// `path`, `query`, `header` or `cookie`; if left out, as the contract declares it.
    #[serde(rename = "in")]
    pub place: Option<String>,
    /// A value with expressions.
    pub value: Value,
}

/// The request body of a step.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepBody {
    /// The media type; if left out, the first one of the contract.
    pub content_type: Option<String>,
    /// A value with expressions.
    pub payload: Value,
}

/// A condition on the response.
#[derive(Debug, Clone, Deserialize)]
pub struct Criterion {
    /// A condition: `$statusCode == 404`.
    pub condition: String,
}

impl Workflow {
    /// Why the flow cannot run with these inputs, without showing their values; `None` if it can.
    pub fn input_problem(&self, inputs: &Value) -> Option<String> {
        let schema = self.inputs.as_ref()?;
        let validator = match validator(schema) {
            Ok(validator) => validator,
            Err(error) => return Some(error.to_string()),
        };
        let error = validator.iter_errors(inputs).next()?;
        let problem = error.masked_with("the value").to_string();
        let place = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
        Some(if place.is_empty() { problem } else { format!("{place}: {problem}") })
    }
}

fn validator(schema: &Value) -> Result<Validator> {
    let options = jsonschema::options().with_draft(Draft::Draft202012).offline();
    options.build(schema).map_err(|error| anyhow!("{error}"))
}

impl Step {
    /// The status that the step expects, if a criterion names one.
    pub fn status(&self) -> Option<u16> {
        self.success_criteria.iter().find_map(|criterion| {
            criterion.condition.split("&&").find_map(|part| {
                part.trim().strip_prefix("$statusCode")?.trim().strip_prefix("==")?.trim().parse().ok()
            })
        })
    }

    /// Where a parameter of the step is sent.
    pub fn place(&self, parameter: &StepParameter, contract: &Contract) -> Option<ParameterLocation> {
        let all = [
            ParameterLocation::Path,
            ParameterLocation::Query,
            ParameterLocation::Header,
            ParameterLocation::Cookie,
        ];
        match &parameter.place {
            Some(name) => all.into_iter().find(|place| place.name() == name),
            None => {
                let operation = contract.operation(&self.operation_id)?;
                all.into_iter().find(|place| operation.parameter(*place, &parameter.name).is_some())
            }
        }
    }
}

impl Flows {
    /// Reads a flow document.
    ///
    /// Fails when it does not match the contract.
    pub fn new(document: Value, contract: &Contract) -> Result<Self> {
        Self::merge(vec![("the flow document".to_owned(), document)], contract)
    }

    /// Merges flow documents and compares the result with the contract. A flow may depend on flows of other
    /// documents and use their outputs.
    ///
    /// # Errors
    ///
    /// When a document is not Arazzo 1.x, two documents define the same thing, or the contract lacks what a flow
    /// calls.
    pub fn merge(documents: Vec<Document>, contract: &Contract) -> Result<Self> {
        let flows = load::merge(documents)?;
        for workflow in &flows.workflows {
            if let Some(schema) = &workflow.inputs {
                validator(schema).with_context(|| format!("{}: its inputs", workflow.workflow_id))?;
            }
            for step in &workflow.steps {
                let place = || format!("{}/{}", workflow.workflow_id, step.step_id);
                if contract.operation(&step.operation_id).is_none() {
                    bail!("{}: the contract has no operation {}", place(), step.operation_id);
                }
                for parameter in &step.parameters {
                    if step.place(parameter, contract).is_none() {
                        bail!("{}: {} has no parameter {}", place(), step.operation_id, parameter.name);
                    }
                }
            }
        }
        for source in &flows.extension.credentials {
            if !contract.kinds.contains_key(&source.kind) {
                let known: Vec<&str> = contract.kinds.keys().map(String::as_str).collect();
                bail!(
                    "credential {:?}: there is no kind {}; there are {}",
                    source.name,
                    source.kind,
                    known.join(", ")
                );
            }
            let acts = contract.kinds[&source.kind].principal.as_ref().is_some_and(|it| it.roles);
            if source.role.is_some() && !acts {
                bail!("credential {:?}: by the settings, kind {} has no roles", source.name, source.kind);
            }
            let named = source.refused.iter().flat_map(|refusal| refusal.operations.iter().flatten());
            for id in named {
                if contract.operation(id).is_none() {
                    bail!("credential {:?}: the contract has no operation {id}", source.name);
                }
            }
        }
        for one in &flows.extension.unreachable {
            if contract.operation(&one.operation_id).is_none() {
                bail!("unreachable: the contract has no operation {}", one.operation_id);
            }
            if let Some(without) = &one.without
                && !without.as_str().is_some_and(|text| text.starts_with("$inputs."))
            {
                bail!("unreachable: {}: `without` must be an input, such as $inputs.NAME", one.operation_id);
            }
        }
        Ok(flows)
    }

    /// The flow with this name.
    pub fn workflow(&self, id: &str) -> Option<&Workflow> {
        self.workflows.iter().find(|workflow| workflow.workflow_id == id)
    }

    /// Removes unreachable statuses whose `without` input exists.
    pub fn remove_reachable(&mut self, inputs: &Value) {
        let context = ExpressionContext { inputs: inputs.clone(), ..ExpressionContext::default() };
        self.extension
            .unreachable
            .retain(|one| one.without.as_ref().is_none_or(|input| resolve(input, &context).is_err()));
    }

    /// The base step of an operation: the first step that calls it and expects no error, in a flow for which `is_run`
    /// is true.
    pub fn base_step(
        &self,
        operation: &str,
        is_run: impl Fn(&Workflow) -> bool,
    ) -> Option<(&Workflow, usize)> {
        let find_step = |workflow: &Workflow| {
            workflow.steps.iter().position(|step| {
                step.operation_id == operation && step.status().is_none_or(|status| status < 400)
            })
        };
        self.workflows
            .iter()
            .filter(|workflow| is_run(workflow))
            .find_map(|workflow| Some((workflow, find_step(workflow)?)))
    }
}
