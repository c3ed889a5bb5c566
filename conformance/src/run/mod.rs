//! A run: flows, then requests that must be rejected, then requests that are allowed, then pages, idempotency keys
//! and rate limits.
//!
//! The order makes the result reproducible. While requests that must be rejected are sent, nothing else changes the
//! server, so the snapshots before and after must be equal. Requests that change something are sent one after the
//! other.

use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::checker::Checker;
use crate::contract::{Contract, ParameterLocation};
use crate::flows::Flows;
use crate::plan::BaseRequest;
use crate::report::{Report, State};
use crate::wire::{Client, Masks};

mod base_request;
mod engine;
mod flow;
mod flow_error;
mod idempotency;
mod limits;
mod methods;
mod pages;
mod record;
mod state_snapshot;
mod tenant;

pub use engine::Engine;
pub use tenant::Tenant;

/// Options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tags and operationIds to check; empty means all.
    pub only: Vec<String>,
    /// Seed of the random values.
    pub seed: u64,
    /// Number of random values per body and parameter.
    pub cases: usize,
    /// Time limit of the run.
    pub max_time: Option<Duration>,
    /// Number of operations to check concurrently, where this cannot change the result.
    pub jobs: usize,
    /// Timeout of a response.
    pub timeout: Duration,
    /// Pause between the two snapshots that find members which change by themselves. Longer than the smallest unit of
    /// time in a response.
    pub pause: Duration,
    /// Whether curl commands contain secrets.
    pub show_secrets: bool,
    /// Whether to draw a progress bar on standard error.
    pub progress: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            seed: 1,
            cases: 6,
            max_time: None,
            jobs: 4,
            timeout: Duration::from_secs(20),
            pause: Duration::from_millis(1100),
            show_secrets: false,
            progress: false,
        }
    }
}

/// Checks the server at `base` and returns a report. Violations are part of the report.
///
/// Fails when the check cannot run: no server, no inputs.
pub async fn run(
    contract: Arc<Contract>,
    mut flows: Flows,
    inputs: &Value,
    base: &str,
    options: Options,
) -> Result<Report> {
    let started = Instant::now();
    let began = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let client = Client::new(base, options.timeout)?;
    let mut masks = Masks::default();
    masks.show_secrets = options.show_secrets;
    flows.remove_reachable(inputs);
    let secrets = secrets(inputs, String::new());
    for (name, value) in &secrets {
        masks.add(name, value);
    }
    let engine = Arc::new(Engine {
        checker: Arc::new(Checker::new(
            Arc::clone(&contract),
            secrets.into_iter().map(|(_, value)| value).collect(),
        )),
        record: Arc::default(),
        masks: Arc::new(RwLock::new(masks)),
        progress: progress_bar(options.progress),
        tenants: OnceLock::new(),
        foreign_values: OnceLock::new(),
        volatile: OnceLock::new(),
        unreachable: false.into(),
        contract,
        flows,
        client,
        options,
        started,
    });
    base_request::ensure_reachable(&engine).await?;
    phase(&engine, "flows");
    let tenants = engine.prepare_tenants(inputs).await?;
    let _ = engine.foreign_values.set(foreign_values(&tenants));
    let _ = engine.tenants.set(tenants);
    phase(&engine, "base requests");
    let base_requests = Arc::new(base_request::find_all(&engine).await);

    let mut cut_short = None;
    for stage in [Stage::Refused, Stage::Reads, Stage::Writes, Stage::Rest] {
        if let Some(reason) = engine.stop_reason() {
            cut_short = Some(reason);
            break;
        }
        phase(&engine, stage.name());
        stage.run(&engine, &base_requests).await;
    }
    if cut_short.is_none() {
        phase(&engine, "rate limits");
        limits::run(&engine, inputs).await?;
    }
    let cut_short = cut_short.or_else(|| engine.stop_reason());
    if cut_short.is_none() {
        for base in base_requests.iter().filter(|base| base.flow.is_none()) {
            unsuccessful(&engine, base);
        }
    }
    engine.progress.finish_and_clear();
    Ok(report(&engine, began, cut_short))
}

/// Notes why an operation without a flow never succeeded, if it could have.
fn unsuccessful(engine: &Engine, base: &BaseRequest) {
    let operation = &base.draft.operation;
    let id = &operation.id;
    let report = engine.record.operation(operation, &engine.flows);
    let mut successes = report.cells.iter().filter(|cell| !cell.status.starts_with(['4', '5']));
    let reachable = successes.any(|cell| !matches!(cell.state, State::Unreachable(_)));
    if !report.built || engine.record.succeeded(id) || !reachable {
        return;
    }
    let ids = operation.parameters.iter().any(|one| one.location == ParameterLocation::Path);
    let why = match engine.flows.base_step(id, |_| true) {
        Some((workflow, _)) => format!("flow {}, which would test it, is skipped", workflow.workflow_id),
        None if ids => "no flow creates the ids in its path".to_owned(),
        None => "the request made from its examples does not succeed, and no flow covers it".to_owned(),
    };
    engine.record.note(format!("{id}: {why}"));
}

/// A stage of a run.
#[derive(Clone, Copy)]
enum Stage {
    Refused,
    Reads,
    Writes,
    Rest,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Refused => "requests that must be rejected",
            Self::Reads => "allowed reads",
            Self::Writes => "allowed writes",
            Self::Rest => "pages and idempotency keys",
        }
    }

    async fn run(self, engine: &Arc<Engine>, base_requests: &Arc<Vec<BaseRequest>>) {
        match self {
            Self::Refused => {
                let snapshot = state_snapshot::StateSnapshot::capture(engine, base_requests).await;
                each(
                    engine,
                    base_requests,
                    |_| true,
                    |engine, base| async move { refused(&engine, &base).await },
                )
                .await;
                methods::run(engine).await;
                snapshot.compare(engine, base_requests).await;
            }
            Self::Reads => {
                let reads = |base: &BaseRequest| base.draft.operation.is_read_only();
                each(
                    engine,
                    base_requests,
                    reads,
                    |engine, base| async move { allowed(&engine, &base).await },
                )
                .await;
            }
            Self::Writes => {
                for base in base_requests.iter().filter(|base| !base.draft.operation.is_read_only()) {
                    engine.progress.set_message(base.draft.operation.id.clone());
                    allowed(engine, base).await;
                }
            }
            Self::Rest => {
                for base in base_requests.iter() {
                    pages::run(engine, base).await;
                    idempotency::run(engine, base).await;
                }
            }
        }
    }
}

/// Runs `work` for the base requests that `of` selects, several at once.
async fn each<W, F>(
    engine: &Arc<Engine>,
    base_requests: &Arc<Vec<BaseRequest>>,
    of: impl Fn(&BaseRequest) -> bool,
    work: W,
) where
    W: Fn(Arc<Engine>, BaseRequest) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let gate = Arc::new(Semaphore::new(engine.options.jobs.max(1)));
    let mut tasks = JoinSet::new();
    for base in base_requests.iter().filter(|base| of(base)).cloned() {
        let (engine, gate, work) = (Arc::clone(engine), Arc::clone(&gate), work.clone());
        tasks.spawn(async move {
            let Ok(_permit) = gate.acquire_owned().await else { return };
            engine.progress.set_message(base.draft.operation.id.clone());
            work(engine, base).await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Err(error) = done {
            engine.record.note(format!("a task of the run failed: {error}"));
        }
    }
}

async fn refused(engine: &Engine, base: &BaseRequest) {
    let Some(tenant) = engine.tenant(0) else { return };
    let probes = engine.planner(tenant, base).rejected();
    engine.progress.inc_length(probes.len() as u64);
    for probe in &probes {
        if engine.stop_reason().is_some() || !engine.record.is_implemented(&base.draft.operation.id) {
            return;
        }
        engine.send_probe(probe).await;
    }
}

async fn allowed(engine: &Engine, base: &BaseRequest) {
    let Some(tenant) = engine.tenant(0) else { return };
    let probes = engine.planner(tenant, base).allowed();
    engine.progress.inc_length(probes.len() as u64);
    for mut probe in probes {
        if engine.stop_reason().is_some() || !engine.record.is_implemented(&base.draft.operation.id) {
            return;
        }
        // A request may delete or close what the next one needs.
        if !base.draft.operation.is_read_only() {
            match base.refresh_draft(engine, &probe.draft).await {
                Some(draft) => probe.draft = draft,
                None => return,
            }
        }
        engine.send_probe(&probe).await;
    }
}

fn phase(engine: &Engine, name: &str) {
    engine.progress.set_prefix(name.to_owned());
    engine.progress.set_message("");
}

fn progress_bar(shown: bool) -> ProgressBar {
    let progress = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos:>6}/{len} {per_sec:>9}  {prefix}  {msg}");
    if let Ok(style) = style {
        progress.set_style(style);
    }
    progress.set_draw_target(if shown {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    });
    progress
}

/// The texts of the inputs whose names mark them as secrets, with their paths.
fn secrets(inputs: &Value, at: String) -> Vec<(String, String)> {
    match inputs {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let name = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                secrets(member, name)
            })
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| secrets(item, format!("{at}.{index}")))
            .collect(),
        Value::String(text) => {
            let name = at.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
            let secret = ["password", "secret", "key", "token"].iter().any(|word| name.contains(word))
                && !name.contains("public");
            if secret { vec![(at, text.clone())] } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// Values, mostly ids, that flows of the other tenant created and the tenant under test does not have.
fn foreign_values(tenants: &[Tenant]) -> Vec<String> {
    let [first, other, ..] = tenants else { return Vec::new() };
    // A short text may occur in a response by coincidence.
    let theirs =
        other.created_values.iter().filter(|text| text.len() >= 8 && !first.created_values.contains(text));
    theirs.cloned().collect()
}

fn report(engine: &Engine, started: String, cut_short: Option<String>) -> Report {
    let chosen: Vec<_> = engine.contract.operations.iter().filter(|one| engine.is_selected(one)).collect();
    let mut notes = engine.record.notes();
    let violations = engine.record.violations(&engine.contract, |operation| engine.is_selected(operation));
    let others = engine.record.violations(&engine.contract, |operation| !engine.is_selected(operation)).len();
    if others > 0 {
        notes.push(format!("{others} violations in operations that --only leaves out"));
    }
    let masks = engine.masks.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lines: String = violations.iter().map(|violation| violation.curl.as_str()).collect();
    let mut variables: Vec<&str> = masks.used(&lines).collect();
    variables.sort_unstable();
    if !variables.is_empty() && !masks.show_secrets {
        notes.push(format!(
            "the curl lines name secrets by shell variables ({}): set them from the inputs, or run with \
             --show-secrets",
            variables.join(", ")
        ));
    }
    Report {
        contract: engine.contract.title.clone(),
        base_url: engine.client.base.clone(),
        started,
        milliseconds: u64::try_from(engine.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        seed: engine.options.seed,
        requests: engine.client.sent(),
        cut_short,
        operations: chosen.iter().map(|one| engine.record.operation(one, &engine.flows)).collect(),
        checks: engine.record.checks(),
        violations,
        notes,
    }
}
