//! Flows: what has to be called, and in which order, so that an operation has the ids that it needs.
//!
//! A flow document is Arazzo 1.0, so that people can read it, other tools can run it, and another server of the
//! same contract can use it as it stands. It is data rather than code through a client crate, because a run knows
//! nothing but documents: the same command judges a server whose client was never generated.
//!
//! A step is the *seat* of its operation: a run calls the steps before it, and then sends variations of its
//! request. Reading is here; calling is in `run`.

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexMap;
use jsonschema::{Draft, Validator};
use serde::Deserialize;
use serde_json::Value;

use crate::contract::{Contract, ParameterLocation};

mod expression;

pub use expression::{ExpressionContext, evaluate_condition, mentions, resolve};

/// A flow document.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Flows {
    /// `1.0.1`.
    pub arazzo: String,
    /// The flows.
    #[serde(default)]
    pub workflows: Vec<Workflow>,
    /// What Arazzo has no place for.
    #[serde(default, rename = "x-conformance")]
    pub extension: Extension,
}

/// What a run has to know and Arazzo has no place for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// Expression of the inputs of a second tenant; they are laid over those of the first.
    pub other_tenant: Option<Value>,
    /// Expression of the inputs of a server of the same contract whose limits are tight, with its `baseUrl`; they are
    /// laid over those of the first. It is asked until it refuses.
    pub limited: Option<Value>,
    /// Where credentials come from, in the order in which they are preferred.
    #[serde(default)]
    pub credentials: Vec<CredentialSource>,
    /// Statuses that nothing from outside can cause, with the reason.
    #[serde(default)]
    pub unreachable: Vec<Unreachable>,
}

/// Where a credential comes from.
#[derive(Debug, Clone, Deserialize)]
pub struct CredentialSource {
    /// How reports call it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Expression of its text.
    pub value: Value,
    /// The scopes that it has; all when left out.
    pub scopes: Option<Vec<String>>,
    /// The role in which it acts, when it does in one.
    pub role: Option<String>,
    /// Why it must be refused: `revoked`, `expired`, `disabled`.
    pub state: Option<String>,
    /// How it is refused although it is known: to whom it belongs may not do that.
    pub refused: Option<Refusal>,
}

impl CredentialSource {
    /// Whether it opens anything.
    pub fn is_usable(&self) -> bool {
        self.state.is_none() && self.refused.is_none()
    }

    /// Whether it opens whatever its kind opens.
    pub fn has_all_scopes(&self) -> bool {
        self.scopes.is_none() && self.is_usable()
    }
}

/// How a credential is refused that is known.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refusal {
    /// `403`.
    pub status: u16,
    /// The code of the error.
    pub code: String,
    /// The operations that refuse it; all when left out.
    pub operations: Option<Vec<String>>,
}

impl Refusal {
    /// Whether an operation refuses.
    pub fn applies_to(&self, operation: &str) -> bool {
        self.operations.as_ref().is_none_or(|all| all.iter().any(|one| one == operation))
    }
}

/// A status of an operation that nothing from outside can cause.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreachable {
    /// The operation.
    pub operation_id: String,
    /// `409`.
    pub status: String,
    /// Why.
    pub reason: String,
    /// Expression of an input with which it can be caused after all.
    pub without: Option<Value>,
}

/// A flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// Its name.
    pub workflow_id: String,
    /// JSON Schema of the inputs. A flow that they do not fit is left out.
    pub inputs: Option<Value>,
    /// Flows whose outputs it uses.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// What is called, in order.
    pub steps: Vec<Step>,
    /// What it leaves for others.
    #[serde(default)]
    pub outputs: IndexMap<String, Value>,
}

/// A call of a flow.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Its name.
    pub step_id: String,
    /// What it shows, in words.
    #[serde(default)]
    pub description: String,
    /// What it calls.
    pub operation_id: String,
    /// Parameters.
    #[serde(default)]
    pub parameters: Vec<StepParameter>,
    /// Body.
    pub request_body: Option<StepBody>,
    /// What must hold of the answer.
    #[serde(default)]
    pub success_criteria: Vec<Criterion>,
    /// What it leaves for later steps.
    #[serde(default)]
    pub outputs: IndexMap<String, Value>,
    /// Name or kind of the credential to use, or an expression of its text; `none` for none.
    #[serde(rename = "x-as")]
    pub credential: Option<String>,
}

/// A parameter of a step.
#[derive(Debug, Clone, Deserialize)]
pub struct StepParameter {
    /// Its name.
    pub name: String,
    /// `path`, `query`, `header`, `cookie`; where left out, the contract knows.
    #[serde(rename = "in")]
    pub place: Option<String>,
    /// A value with expressions.
    pub value: Value,
}

/// A body of a step.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepBody {
    /// Media type; where left out, the first of the contract.
    pub content_type: Option<String>,
    /// A value with expressions.
    pub payload: Value,
}

/// Something that must hold of an answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Criterion {
    /// `$statusCode == 404`.
    pub condition: String,
}

impl Workflow {
    /// What keeps a flow from being run with these inputs, in words that tell no secret.
    pub fn input_problem(&self, inputs: &Value) -> Option<String> {
        let schema = self.inputs.as_ref()?;
        let validator = match validator(schema) {
            Ok(validator) => validator,
            Err(error) => return Some(error.to_string()),
        };
        let error = validator.iter_errors(inputs).next()?;
        let problem = error.masked_with("what is there").to_string();
        let place = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
        Some(if place.is_empty() { problem } else { format!("{place}: {problem}") })
    }
}

fn validator(schema: &Value) -> Result<Validator> {
    let options = jsonschema::options().with_draft(Draft::Draft202012).offline();
    options.build(schema).map_err(|error| anyhow!("{error}"))
}

impl Step {
    /// The status that the step waits for, when its criteria name one.
    pub fn status(&self) -> Option<u16> {
        self.success_criteria.iter().find_map(|criterion| {
            criterion.condition.split("&&").find_map(|part| {
                part.trim().strip_prefix("$statusCode")?.trim().strip_prefix("==")?.trim().parse().ok()
            })
        })
    }

    /// Where a parameter of the step travels.
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
    /// Reads a flow document and compares it with the contract.
    pub fn new(document: Value, contract: &Contract) -> Result<Self> {
        let flows: Self = serde_json::from_value(document).context("the flow document")?;
        if !flows.arazzo.starts_with("1.") {
            bail!("the flow document is of Arazzo {:?}; this reads 1.x", flows.arazzo);
        }
        for (index, workflow) in flows.workflows.iter().enumerate() {
            if let Some(schema) = &workflow.inputs {
                validator(schema).with_context(|| format!("{}: its inputs", workflow.workflow_id))?;
            }
            for needed in &workflow.depends_on {
                if !flows.workflows[..index].iter().any(|before| before.workflow_id == *needed) {
                    bail!("{}: depends on {needed}, which does not stand before it", workflow.workflow_id);
                }
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
                bail!("credential {:?}: kind {} acts in no role, by the settings", source.name, source.kind);
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
                bail!("unreachable: {}: `without` names an input, as $inputs.NAME", one.operation_id);
            }
        }
        Ok(flows)
    }

    /// The flow of that name.
    pub fn workflow(&self, id: &str) -> Option<&Workflow> {
        self.workflows.iter().find(|workflow| workflow.workflow_id == id)
    }

    /// Forgets what is called unreachable without an input that is there.
    pub fn remove_reachable(&mut self, inputs: &Value) {
        let context = ExpressionContext { inputs: inputs.clone(), ..ExpressionContext::default() };
        self.extension
            .unreachable
            .retain(|one| one.without.as_ref().is_none_or(|input| resolve(input, &context).is_err()));
    }

    /// The seat of an operation: the first step that calls it and waits for no refusal, in a flow that is run.
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
