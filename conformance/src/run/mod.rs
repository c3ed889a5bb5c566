//! A run: flows first, then what must be refused, then what is allowed, then pages and repeats.
//!
//! The order makes verdicts the same every time. What must be refused goes while nothing else changes the server,
//! so that a look before and a look after must be equal; what changes something goes one after the other.

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

/// How a run is done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Tags and operationIds to look at; empty for all.
    pub only: Vec<String>,
    /// What decides the chances.
    pub seed: u64,
    /// How many values by chance each body and parameter gets.
    pub cases: usize,
    /// How long the run may take.
    pub max_time: Option<Duration>,
    /// How many operations are tried at once, where that cannot change the verdict.
    pub jobs: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How long to wait between two looks at the same, which tell what moves by itself: longer than the smallest unit of
    /// time that an answer may show.
    pub pause: Duration,
    /// Whether curl lines have secrets in them.
    pub show_secrets: bool,
    /// Whether a progress progress is drawn on standard error.
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

/// Runs everything against the server at `base` and reports what was found. An error says why nothing could be
/// found out; a server that breaks its contract is not an error.
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
    flows.reach(inputs);
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
        phase(&engine, "what is asked too often");
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

/// Notes why an operation that no flow was run for never succeeded, where it could have.
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
    let why = match engine.flows.seat(id, |_| true) {
        Some((workflow, _)) => format!("flow {}, which would try it, is left out", workflow.workflow_id),
        None if ids => "no flow makes the ids that its path needs".to_owned(),
        None => "its examples do not lead to success, and no flow waits for it".to_owned(),
    };
    engine.record.note(format!("{id}: {why}"));
}

/// A part of a run.
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
            Self::Refused => "what must be refused",
            Self::Reads => "what is allowed: reading",
            Self::Writes => "what is allowed: changing",
            Self::Rest => "pages and repeats",
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

/// Does `work` for the base requests that `of` picks, several at once.
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
            engine.record.note(format!("a part of the run ended early: {error}"));
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
        // What one request deletes or closes, the next one must not need.
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

/// Texts of the inputs whose names say that they are secret, with the way to each.
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

/// Texts that flows of the other tenant left and that the first one does not have: ids, mostly.
fn foreign_values(tenants: &[Tenant]) -> Vec<String> {
    let [first, other, ..] = tenants else { return Vec::new() };
    // Short texts may stand in an answer by chance.
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
        notes.push(format!("{others} violations in operations that were not asked for, seen on the way"));
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
