//! Sends requests, checks the responses and records the result. Every request of a run goes through
//! [`Engine::check_response`].

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::Options;
use super::record::Record;
use super::tenant::Tenant;
use crate::checker::{Checker, Finding};
use crate::contract::{Contract, Operation};
use crate::draft::Draft;
use crate::flows::Flows;
use crate::plan::{BaseRequest, Expectation, Planner, Probe};
use crate::report::Rule;
use crate::wire::{Client, Masks, Request, Response, SendError};

/// The state that all parts of a run share.
#[derive(Debug)]
pub struct Engine {
    pub(crate) contract: Arc<Contract>,
    pub(crate) flows: Flows,
    pub(crate) options: Options,
    pub(crate) checker: Arc<Checker>,
    pub(crate) client: Client,
    pub(crate) record: Arc<Record>,
    pub(crate) masks: Arc<RwLock<Masks>>,
    pub(crate) progress: ProgressBar,
    /// The tenant under test, then the other tenant. Set once their flows have run.
    pub(crate) tenants: OnceLock<Vec<Tenant>>,
    /// Values that only the other tenant has.
    pub(crate) foreign_values: OnceLock<Vec<String>>,
    /// JSON pointers of members that change by themselves, by operationId. Set by the first snapshot.
    pub(crate) volatile: OnceLock<HashMap<String, BTreeSet<String>>>,
    pub(crate) started: Instant,
    pub(crate) unreachable: AtomicBool,
}

impl Engine {
    /// An engine for another server of the same contract that writes to the same record.
    pub fn for_server(&self, client: Client) -> Self {
        Self {
            contract: Arc::clone(&self.contract),
            flows: self.flows.clone(),
            options: self.options.clone(),
            checker: Arc::clone(&self.checker),
            client,
            record: Arc::clone(&self.record),
            masks: Arc::clone(&self.masks),
            progress: self.progress.clone(),
            tenants: OnceLock::new(),
            foreign_values: OnceLock::new(),
            volatile: OnceLock::new(),
            started: self.started,
            unreachable: AtomicBool::new(false),
        }
    }

    /// Why the run has to stop: the time limit is reached or the server is gone.
    pub fn stop_reason(&self) -> Option<String> {
        if self.unreachable.load(Ordering::Relaxed) {
            return Some("the server no longer accepts connections".to_owned());
        }
        let limit = self.options.max_time?;
        (self.started.elapsed() > limit)
            .then(|| format!("the time limit of {} s was reached", limit.as_secs()))
    }

    /// Whether the operation is selected by `only`.
    pub fn is_selected(&self, operation: &Operation) -> bool {
        self.options.only.is_empty()
            || self.options.only.iter().any(|only| *only == operation.id || *only == operation.tag)
    }

    /// A tenant; index 0 is the tenant under test.
    pub fn tenant(&self, index: usize) -> Option<&Tenant> {
        self.tenants.get().and_then(|tenants| tenants.get(index))
    }

    /// A planner of variations of `base` with the credentials of `tenant`.
    pub fn planner<'e>(&'e self, tenant: &'e Tenant, base: &'e BaseRequest) -> Planner<'e> {
        Planner {
            contract: &self.contract,
            credentials: &tenant.credentials,
            base,
            seed: self.options.seed,
            cases: self.options.cases,
        }
    }

    /// Sends a probe and checks the response against its expectation.
    pub async fn send_probe(&self, probe: &Probe) -> Option<Response> {
        let request = match probe.draft.request() {
            Ok(request) => request,
            // A value that cannot be written as a request is skipped.
            Err(_) => return None,
        };
        if let Expectation::Rejected { statuses, .. } = &probe.expect
            && let Some(status) = statuses.first()
        {
            self.record.expect_status(&probe.draft.operation.id, *status);
        }
        self.call(&probe.draft.operation, &probe.description, &request, |response, findings| {
            self.check_expectation(&probe.draft.operation, &probe.expect, response, findings);
            if probe.draft.credential.is_some() && self.is_tenant_bound(&probe.draft) {
                self.check_foreign_values(&request, response, findings);
            }
        })
        .await
    }

    /// Sends a request, checks the response, and records the findings, including those that `more` adds.
    pub async fn call(
        &self,
        operation: &Operation,
        tried: &str,
        request: &Request,
        more: impl FnOnce(&Response, &mut Vec<Finding>),
    ) -> Option<Response> {
        let result = self.send_with_retry_after(request).await;
        self.check_response(operation, tried, request, result, more).await
    }

    /// Checks the response of a request, and records the findings, including those that `more` adds.
    pub async fn check_response(
        &self,
        operation: &Operation,
        tried: &str,
        request: &Request,
        result: Result<Response, SendError>,
        more: impl FnOnce(&Response, &mut Vec<Finding>),
    ) -> Option<Response> {
        self.progress.inc(1);
        let mut findings = Vec::new();
        let response = match result {
            Ok(response) => response,
            Err(SendError::InvalidRequest(_)) => return None,
            Err(failure) => {
                let finding = match failure {
                    SendError::Timeout => {
                        let expected = format!("a response within {} s", self.options.timeout.as_secs());
                        Finding::new(Rule::TimeOut, &operation.pointer, expected, "none")
                    }
                    SendError::Connection(problem) | SendError::InvalidRequest(problem) => {
                        if tokio::net::TcpStream::connect(self.address()).await.is_err() {
                            self.unreachable.store(true, Ordering::Relaxed);
                        }
                        Finding::new(Rule::ServerError, &operation.pointer, "a response", problem)
                    }
                };
                self.record_exchange(operation, tried, request, None, vec![finding]);
                return None;
            }
        };
        if self.checker.is_not_implemented(operation, &response) {
            self.record.mark_not_implemented(&operation.id, "it responds with 501");
            self.record_exchange(operation, tried, request, Some(&response), Vec::new());
            return Some(response);
        }
        self.record.count_checks(self.checker.applicable_rules(operation, &response));
        findings.extend(self.checker.check_response(operation, &response));
        findings.extend(self.record.request_id(&self.client.base, request, &response));
        more(&response, &mut findings);
        self.record_exchange(operation, tried, request, Some(&response), findings);
        Some(response)
    }

    /// Records an exchange with its findings.
    pub(crate) fn record_exchange(
        &self,
        operation: &Operation,
        tried: &str,
        request: &Request,
        response: Option<&Response>,
        findings: Vec<Finding>,
    ) {
        let code = response.and_then(|response| self.checker.error_code(operation, response));
        let masks = self.masks.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let curl = if findings.is_empty() { String::new() } else { request.curl(&self.client.base, &masks) };
        self.record.exchange(operation, tried, curl, response, code, findings, &masks);
    }

    fn address(&self) -> String {
        let rest = self.client.base.split("://").nth(1).unwrap_or_default();
        let host = rest.split('/').next().unwrap_or_default();
        if host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:{}", if self.client.base.starts_with("https") { 443 } else { 80 })
        }
    }

    /// Sends a request. After a 429 it waits as `Retry-After` says and retries, three times at most.
    async fn send_with_retry_after(&self, request: &Request) -> Result<Response, SendError> {
        for _ in 0..3 {
            let response = self.client.send(request).await?;
            let wait = response.header("retry-after").and_then(|text| text.parse().ok());
            match wait {
                Some(seconds @ 0..=60) if response.status == 429 => {
                    self.record.note(
                        "the server limited the rate of requests (429); the run waited. A higher limit for the \
                         credentials of the inputs makes it quicker",
                    );
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                _ => return Ok(response),
            }
        }
        self.client.send(request).await
    }

    /// Compares a response with the expected result of its request.
    pub fn check_expectation(
        &self,
        operation: &Operation,
        expect: &Expectation,
        response: &Response,
        findings: &mut Vec<Finding>,
    ) {
        // A 5xx has been reported already.
        if response.status >= 500 {
            return;
        }
        let shape = self.checker.error_shape(operation, response);
        let code = || self.checker.error_code(operation, response);
        let documented = |problem: &str| shape.and_then(|shape| shape.codes.get(problem)).cloned();
        match expect {
            Expectation::Documented => {}
            Expectation::Valid => {
                self.record.count_checks([Rule::Refused]);
                let invalid = matches!(response.status, 400 | 422);
                if invalid && (documented("invalid").is_none() || documented("invalid") == code()) {
                    let expected = "not rejected as invalid: the contract allows it";
                    findings.push(Finding::new(
                        Rule::Refused,
                        &operation.pointer,
                        expected,
                        response.summary(),
                    ));
                }
                if matches!(response.status, 415 | 405) {
                    let expected = "not rejected: the contract documents the method and the media type";
                    findings.push(Finding::new(
                        Rule::Refused,
                        &operation.pointer,
                        expected,
                        response.summary(),
                    ));
                }
            }
            Expectation::Authorized => {
                if matches!(response.status, 401 | 403) {
                    let expected = "not rejected: the contract allows this credential kind";
                    findings.push(Finding::new(
                        Rule::Refused,
                        &operation.pointer,
                        expected,
                        response.summary(),
                    ));
                }
            }
            Expectation::Rejected { rule, statuses, codes, pointer } => {
                self.record.count_checks([*rule]);
                if !codes.is_empty() {
                    self.record.count_checks([Rule::Code]);
                }
                let right = match statuses.is_empty() {
                    true => response.status / 100 == 4,
                    false => statuses.contains(&response.status),
                };
                if !right {
                    let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                    let expected = match statuses.as_slice() {
                        [] => "rejected with a 4xx".to_owned(),
                        some => format!("rejected with {}", some.join(" or ")),
                    };
                    findings.push(Finding::new(*rule, pointer, expected, response.summary()));
                } else if let (Some(shape), Some(code)) = (shape, code())
                    && !codes.is_empty()
                    && !codes.contains(&code)
                {
                    let at = format!("/{}", shape.code);
                    findings.push(Finding::new(Rule::Code, at, codes.join(" or "), code));
                }
            }
        }
    }

    /// Whether the credential belongs to the tenant under test and not to the other one.
    fn is_tenant_bound(&self, draft: &Draft) -> bool {
        let value = draft.credential.as_ref().map(|placement| placement.value.as_str());
        let owns = |index: usize| {
            self.tenant(index)
                .is_some_and(|tenant| tenant.credentials.iter().any(|one| Some(one.value.as_str()) == value))
        };
        owns(0) && !owns(1)
    }

    /// Reports values of the other tenant in a response, unless the request contained them.
    fn check_foreign_values(&self, request: &Request, response: &Response, findings: &mut Vec<Finding>) {
        let Some(foreign) = self.foreign_values.get().filter(|foreign| !foreign.is_empty()) else { return };
        self.record.count_checks([Rule::Tenant]);
        let text = String::from_utf8_lossy(&response.body);
        let asked = |id: &str| {
            request.target.contains(id)
                || request.body.as_ref().is_some_and(|body| String::from_utf8_lossy(body).contains(id))
                || request.headers.iter().any(|(_, value)| value.contains(id))
        };
        if let Some(id) = foreign.iter().find(|id| text.contains(id.as_str()) && !asked(id)) {
            let pointer =
                response.json().and_then(|body| crate::checker::find_text(&body, id)).unwrap_or_default();
            findings.push(Finding::new(Rule::Tenant, pointer, "no data of another tenant", id));
        }
    }
}
