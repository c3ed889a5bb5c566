//! The record of a run: requests, responses and findings. Tasks write to it concurrently, and the report is made from
//! it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indexmap::{IndexMap, IndexSet};

use crate::checker::{Finding, REQUEST_ID};
use crate::contract::{Contract, Operation, Status};
use crate::flows::Flows;
use crate::report::{Cell, OperationReport, Rule, State, Violation};
use crate::wire::{Masks, Request, Response};

/// Findings with the same key are counted as one violation.
type Key = (Rule, String, String, String);

#[derive(Debug, Default)]
struct OperationRecord {
    requests: usize,
    not_implemented: Option<String>,
    /// Number of responses, and of those with findings, by status, media type and error code.
    cells: BTreeMap<(u16, String, String), (usize, usize)>,
    /// Statuses that some request expects.
    expected_statuses: BTreeSet<u16>,
    /// Whether no request could be made.
    untested: bool,
}

#[derive(Debug, Default)]
struct Inner {
    operations: IndexMap<String, OperationRecord>,
    violations: IndexMap<Key, Violation>,
    request_ids: HashSet<String>,
    notes: IndexSet<String>,
    checks: BTreeMap<Rule, usize>,
}

/// The record of a run.
#[derive(Debug, Default)]
pub struct Record {
    inner: Mutex<Inner>,
}

impl Record {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a note to the report.
    pub fn note(&self, text: impl Into<String>) {
        self.inner().notes.insert(text.into());
    }

    /// Marks an operation as not implemented by the server.
    pub fn mark_not_implemented(&self, operation: &str, why: &str) {
        let mut inner = self.inner();
        inner
            .operations
            .entry(operation.to_owned())
            .or_default()
            .not_implemented
            .get_or_insert_with(|| why.to_owned());
    }

    /// Whether the operation has not been marked as not implemented.
    pub fn is_implemented(&self, operation: &str) -> bool {
        self.inner().operations.get(operation).is_none_or(|seen| seen.not_implemented.is_none())
    }

    /// Marks an operation that could not be tested. The server may implement it, so its responses count as missing.
    pub fn mark_untested(&self, operation: &str, why: &str) {
        self.inner().operations.entry(operation.to_owned()).or_default().untested = true;
        self.note(format!("{operation} was not tested: {why}"));
    }

    /// Records that a request of the operation expects this status.
    pub fn expect_status(&self, operation: &str, status: u16) {
        self.inner().operations.entry(operation.to_owned()).or_default().expected_statuses.insert(status);
    }

    /// Whether a 2xx or 3xx response without findings was seen.
    pub fn succeeded(&self, operation: &str) -> bool {
        self.inner().operations.get(operation).is_some_and(|seen| {
            seen.cells
                .iter()
                .any(|((status, ..), (answers, wrong))| matches!(status, 200..400) && answers > wrong)
        })
    }

    /// A finding if another response of the server at `base` had the same request id.
    pub fn request_id(&self, base: &str, request: &Request, response: &Response) -> Option<Finding> {
        let id = response.header(REQUEST_ID)?;
        self.count_checks([Rule::RequestId]);
        if request.header(REQUEST_ID).is_some() || self.inner().request_ids.insert(format!("{base} {id}")) {
            return None;
        }
        Some(Finding::new(Rule::RequestId, "", "an id that no other response has", id))
    }

    /// Records an exchange and its findings. `curl` reproduces the request, `code` is the error code of the response.
    #[expect(clippy::too_many_arguments, reason = "one argument per column of the record")]
    pub fn exchange(
        &self,
        operation: &Operation,
        tried: &str,
        curl: String,
        response: Option<&Response>,
        code: Option<String>,
        findings: Vec<Finding>,
        masks: &Masks,
    ) {
        let mut inner = self.inner();
        let seen = inner.operations.entry(operation.id.clone()).or_default();
        seen.requests += 1;
        if let Some(response) = response {
            let cell = seen
                .cells
                .entry((response.status, response.media_type(), code.unwrap_or_default()))
                .or_default();
            cell.0 += 1;
            cell.1 += usize::from(!findings.is_empty());
        }
        for finding in findings {
            let key = (finding.rule, operation.id.clone(), finding.pointer.clone(), finding.expected.clone());
            inner.violations.entry(key).and_modify(|known| known.times += 1).or_insert_with(|| Violation {
                rule: finding.rule,
                operation: operation.id.clone(),
                tried: masks.hide(tried),
                pointer: finding.pointer,
                expected: masks.hide(&finding.expected),
                seen: masks.hide(&finding.seen),
                curl: curl.clone(),
                request_id: response.and_then(|response| response.header(REQUEST_ID)).map(str::to_owned),
                times: 1,
            });
        }
    }

    /// Counts checks by rule.
    pub fn count_checks(&self, rules: impl IntoIterator<Item = Rule>) {
        let mut inner = self.inner();
        for rule in rules {
            *inner.checks.entry(rule).or_default() += 1;
        }
    }

    /// Number of checks by rule.
    pub fn checks(&self) -> BTreeMap<Rule, usize> {
        self.inner().checks.clone()
    }

    /// The notes.
    pub fn notes(&self) -> Vec<String> {
        self.inner().notes.iter().cloned().collect()
    }

    /// The violations of the operations that `of` selects, in the order of the contract.
    pub fn violations(&self, contract: &Contract, of: impl Fn(&Operation) -> bool) -> Vec<Violation> {
        let inner = self.inner();
        let mut out: Vec<Violation> = Vec::new();
        for operation in contract.operations.iter().filter(|operation| of(operation)) {
            let own = inner.violations.values().filter(|violation| violation.operation == operation.id);
            let from = out.len();
            out.extend(own.cloned());
            out[from..].sort_by(|a, b| (a.rule, &a.pointer, &a.tried).cmp(&(b.rule, &b.pointer, &b.tried)));
        }
        out
    }

    /// The report of an operation.
    pub fn operation(&self, operation: &Operation, flows: &Flows) -> OperationReport {
        let inner = self.inner();
        let empty = OperationRecord::default();
        let seen = inner.operations.get(&operation.id).unwrap_or(&empty);
        let built = seen.not_implemented.is_none();
        let mut cells = Vec::new();
        for spec in &operation.responses {
            let ours = |status: u16| {
                operation.response(status).is_some_and(|other| std::ptr::eq(other, spec)) && status != 501
            };
            let seen_responses: Vec<_> =
                seen.cells.iter().filter(|((status, ..), _)| ours(*status)).collect();
            let expected =
                || seen.expected_statuses.union(&operation.implied_statuses).filter(|status| ours(**status));
            let state = |(answers, wrong): (usize, usize)| {
                let state = if wrong > 0 { State::Violated } else { State::Covered };
                (state, answers)
            };
            let missing = |status: &str| unseen_state(operation, status, seen, flows);
            let cell =
                |status: &str, content_type: &str, code: &str, (state, answers): (State, usize)| Cell {
                    status: status.to_owned(),
                    content_type: content_type.to_owned(),
                    code: code.to_owned(),
                    state,
                    answers,
                };
            match spec.status {
                Status::Exact(status) => {
                    let mut media: Vec<&str> = spec.media.keys().map(String::as_str).collect();
                    if media.is_empty() {
                        media.push("");
                    }
                    for name in media {
                        let text = status.to_string();
                        let essence = crate::wire::essence(name);
                        let mut found =
                            seen_responses.iter().filter(|((_, media, _), _)| *media == essence).peekable();
                        if found.peek().is_none() {
                            cells.push(cell(&text, name, "", (missing(&text), 0)));
                        }
                        cells.extend(
                            found.map(|((.., code), counts)| cell(&text, name, code, state(**counts))),
                        );
                    }
                }
                Status::Range(_) | Status::Default => {
                    for ((status, media, code), counts) in &seen_responses {
                        cells.push(cell(&status.to_string(), media, code, state(**counts)));
                    }
                    let name = spec.media.keys().next().map_or("", String::as_str);
                    let is_seen =
                        |status: u16| seen_responses.iter().any(|((known, ..), _)| *known == status);
                    for status in expected().filter(|status| !is_seen(**status)) {
                        let text = status.to_string();
                        cells.push(cell(&text, name, "", (missing(&text), 0)));
                    }
                    if seen_responses.is_empty() && expected().next().is_none() {
                        let text = spec.status.text();
                        cells.push(cell(&text, name, "", (missing(&text), 0)));
                    }
                }
            }
        }
        OperationReport {
            id: operation.id.clone(),
            tag: operation.tag.clone(),
            method: operation.method.clone(),
            path: operation.path.clone(),
            built,
            addition: operation.addition,
            requests: seen.requests,
            cells,
        }
    }
}

/// The state of a response that was not seen: missing or unreachable.
fn unseen_state(operation: &Operation, status: &str, seen: &OperationRecord, flows: &Flows) -> State {
    let stated = flows
        .extension
        .unreachable
        .iter()
        .find(|one| one.operation_id == operation.id && one.status == status);
    if let Some(stated) = stated {
        return State::Unreachable(stated.reason.clone());
    }
    if status.starts_with('5') {
        return State::Unreachable("a healthy server does not respond with it".to_owned());
    }
    if seen.not_implemented.is_some() || seen.untested {
        return State::Missing;
    }
    if status.ends_with("XX") && status.starts_with('4') {
        return State::Unreachable("no request to this operation can be invalid".to_owned());
    }
    State::Missing
}
