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

use crate::contract::{Contract, Place};
use crate::flows::Flows;
use crate::judge::Judge;
use crate::plan::Seat;
use crate::report::{Report, State};
use crate::wire::{Client, Masks};

mod engine;
mod flow;
mod halt;
mod limits;
mod methods;
mod pages;
mod record;
mod repeat;
mod seat;
mod tenant;
mod witness;

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
    pub patience: Duration,
    /// How long to wait between two looks at the same, which tell what moves by itself: longer than the smallest unit of
    /// time that an answer may show.
    pub pause: Duration,
    /// Whether curl lines have secrets in them.
    pub show_secrets: bool,
    /// Whether a progress bar is drawn on standard error.
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
            patience: Duration::from_secs(20),
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
    let client = Client::new(base, options.patience)?;
    let mut masks = Masks::default();
    masks.open = options.show_secrets;
    flows.reach(inputs);
    let secrets = secrets(inputs, String::new());
    for (name, value) in &secrets {
        masks.add(name, value);
    }
    let engine = Arc::new(Engine {
        judge: Arc::new(Judge::new(
            Arc::clone(&contract),
            secrets.into_iter().map(|(_, value)| value).collect(),
        )),
        record: Arc::default(),
        masks: Arc::new(RwLock::new(masks)),
        bar: bar(options.progress),
        tenants: OnceLock::new(),
        foreign: OnceLock::new(),
        moving: OnceLock::new(),
        unreachable: false.into(),
        contract,
        flows,
        client,
        options,
        started,
    });
    seat::reachable(&engine).await?;
    phase(&engine, "flows");
    let tenants = engine.settle(inputs).await?;
    let _ = engine.foreign.set(foreign(&tenants));
    let _ = engine.tenants.set(tenants);
    phase(&engine, "seats");
    let seats = Arc::new(seat::all(&engine).await);

    let mut cut_short = None;
    for stage in [Stage::Refused, Stage::Reads, Stage::Writes, Stage::Rest] {
        if let Some(reason) = engine.stopped() {
            cut_short = Some(reason);
            break;
        }
        phase(&engine, stage.name());
        stage.run(&engine, &seats).await;
    }
    if cut_short.is_none() {
        phase(&engine, "what is asked too often");
        limits::run(&engine, inputs).await?;
    }
    let cut_short = cut_short.or_else(|| engine.stopped());
    if cut_short.is_none() {
        for seat in seats.iter().filter(|seat| seat.flow.is_none()) {
            unsuccessful(&engine, seat);
        }
    }
    engine.bar.finish_and_clear();
    Ok(report(&engine, began, cut_short))
}

/// Notes why an operation that no flow was run for never succeeded, where it could have.
fn unsuccessful(engine: &Engine, seat: &Seat) {
    let operation = &seat.draft.operation;
    let id = &operation.id;
    let report = engine.record.operation(operation, &engine.flows);
    let mut successes = report.cells.iter().filter(|cell| !cell.status.starts_with(['4', '5']));
    let reachable = successes.any(|cell| !matches!(cell.state, State::Unreachable(_)));
    if !report.built || engine.record.succeeded(id) || !reachable {
        return;
    }
    let ids = operation.parameters.iter().any(|one| one.place == Place::Path);
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

    async fn run(self, engine: &Arc<Engine>, seats: &Arc<Vec<Seat>>) {
        match self {
            Self::Refused => {
                let witnesses = witness::Witnesses::of(engine, seats).await;
                each(engine, seats, |_| true, |engine, seat| async move { refused(&engine, &seat).await })
                    .await;
                methods::run(engine).await;
                witnesses.compare(engine, seats).await;
            }
            Self::Reads => {
                let reads = |seat: &Seat| seat.draft.operation.reads();
                each(engine, seats, reads, |engine, seat| async move { allowed(&engine, &seat).await }).await;
            }
            Self::Writes => {
                for seat in seats.iter().filter(|seat| !seat.draft.operation.reads()) {
                    engine.bar.set_message(seat.draft.operation.id.clone());
                    allowed(engine, seat).await;
                }
            }
            Self::Rest => {
                for seat in seats.iter() {
                    pages::run(engine, seat).await;
                    repeat::run(engine, seat).await;
                }
            }
        }
    }
}

/// Does `work` for the seats that `of` picks, several at once.
async fn each<W, F>(engine: &Arc<Engine>, seats: &Arc<Vec<Seat>>, of: impl Fn(&Seat) -> bool, work: W)
where
    W: Fn(Arc<Engine>, Seat) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let gate = Arc::new(Semaphore::new(engine.options.jobs.max(1)));
    let mut tasks = JoinSet::new();
    for seat in seats.iter().filter(|seat| of(seat)).cloned() {
        let (engine, gate, work) = (Arc::clone(engine), Arc::clone(&gate), work.clone());
        tasks.spawn(async move {
            let Ok(_permit) = gate.acquire_owned().await else { return };
            engine.bar.set_message(seat.draft.operation.id.clone());
            work(engine, seat).await;
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Err(error) = done {
            engine.record.note(format!("a part of the run ended early: {error}"));
        }
    }
}

async fn refused(engine: &Engine, seat: &Seat) {
    let Some(tenant) = engine.tenant(0) else { return };
    let probes = engine.planner(tenant, seat).refused();
    engine.bar.inc_length(probes.len() as u64);
    for probe in &probes {
        if engine.stopped().is_some() || !engine.record.built(&seat.draft.operation.id) {
            return;
        }
        engine.probe(probe).await;
    }
}

async fn allowed(engine: &Engine, seat: &Seat) {
    let Some(tenant) = engine.tenant(0) else { return };
    let probes = engine.planner(tenant, seat).allowed();
    engine.bar.inc_length(probes.len() as u64);
    for mut probe in probes {
        if engine.stopped().is_some() || !engine.record.built(&seat.draft.operation.id) {
            return;
        }
        // What one request deletes or closes, the next one must not need.
        if !seat.draft.operation.reads() {
            match seat.renewed(engine, &probe.draft).await {
                Some(draft) => probe.draft = draft,
                None => return,
            }
        }
        engine.probe(&probe).await;
    }
}

fn phase(engine: &Engine, name: &str) {
    engine.bar.set_prefix(name.to_owned());
    engine.bar.set_message("");
}

fn bar(shown: bool) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style =
        ProgressStyle::with_template("{elapsed:>4} {bar:30} {pos:>6}/{len} {per_sec:>9}  {prefix}  {msg}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_draw_target(if shown {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    });
    bar
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
fn foreign(tenants: &[Tenant]) -> Vec<String> {
    let [first, other, ..] = tenants else { return Vec::new() };
    // Short texts may stand in an answer by chance.
    let theirs = other.made.iter().filter(|text| text.len() >= 8 && !first.made.contains(text));
    theirs.cloned().collect()
}

fn report(engine: &Engine, started: String, cut_short: Option<String>) -> Report {
    let chosen: Vec<_> = engine.contract.operations.iter().filter(|one| engine.chosen(one)).collect();
    let mut notes = engine.record.notes();
    let violations = engine.record.violations(&engine.contract, |operation| engine.chosen(operation));
    let others = engine.record.violations(&engine.contract, |operation| !engine.chosen(operation)).len();
    if others > 0 {
        notes.push(format!("{others} violations in operations that were not asked for, seen on the way"));
    }
    let masks = engine.masks.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lines: String = violations.iter().map(|violation| violation.curl.as_str()).collect();
    let mut variables: Vec<&str> = masks.used(&lines).collect();
    variables.sort_unstable();
    if !variables.is_empty() && !masks.open {
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
