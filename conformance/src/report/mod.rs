//! The report of a run, and its rendering as text, JSON, JUnit, HTML and Markdown.

mod coverage;
mod format;
mod html;
mod json;
mod junit;
mod markdown;
mod text;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use coverage::Coverage;
pub use format::Format;
pub use words::Verdict;

/// A rule that is checked. Its name is stable and used in reports, filters and coverage files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The status is documented for the operation.
    Status,
    /// The content type is documented for the response, or there is no body where none is documented.
    ContentType,
    /// Documented headers are valid, and present if required.
    Header,
    /// A response with a JSON content type contains JSON.
    NotJson,
    /// The body is valid against the schema of the effective contract.
    Body,
    /// The body is valid against the schema of the published contract, before corrections.
    Published,
    /// No request causes a 5xx.
    ServerError,
    /// The error code is the one that the settings define for the problem.
    Code,
    /// A 405 lists exactly the documented methods of its path in `Allow`.
    Allow,
    /// No response contains a secret or the hash of one.
    Secret,
    /// Requests that the contract forbids are rejected.
    Accepted,
    /// Requests that the contract allows are not rejected as invalid, and flows succeed.
    Refused,
    /// A missing, unknown, expired or revoked credential is rejected.
    Credential,
    /// A credential without the scope or role is rejected with 403.
    Scope,
    /// The data of another tenant is not found.
    Tenant,
    /// Created data can be read, deleted data cannot, and a rejected request changes nothing.
    Effect,
    /// Pages have the requested size, each item is on one page, and the list ends.
    Page,
    /// A repeated request with the same idempotency key gets the same response and has no second effect.
    Idempotency,
    /// A body with an undocumented media type is rejected.
    MediaType,
    /// An undocumented method is rejected.
    Method,
    /// Too many requests are rejected with 429.
    Limit,
    /// Every response has a request id of its own.
    RequestId,
    /// Every request gets a response within the timeout.
    TimeOut,
}

impl Rule {
    /// All rules, in the order of the checks.
    pub const ALL: [Self; 23] = [
        Self::Status,
        Self::ContentType,
        Self::Header,
        Self::NotJson,
        Self::Body,
        Self::Published,
        Self::ServerError,
        Self::Code,
        Self::Allow,
        Self::Secret,
        Self::Accepted,
        Self::Refused,
        Self::Credential,
        Self::Scope,
        Self::Tenant,
        Self::Effect,
        Self::Page,
        Self::Idempotency,
        Self::MediaType,
        Self::Method,
        Self::Limit,
        Self::RequestId,
        Self::TimeOut,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ContentType => "content-type",
            Self::Header => "header",
            Self::NotJson => "not-json",
            Self::Body => "body",
            Self::Published => "published",
            Self::ServerError => "server-error",
            Self::Code => "code",
            Self::Allow => "allow",
            Self::Secret => "secret",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Credential => "credential",
            Self::Scope => "scope",
            Self::Tenant => "tenant",
            Self::Effect => "effect",
            Self::Page => "page",
            Self::Idempotency => "idempotency",
            Self::MediaType => "media-type",
            Self::Method => "method",
            Self::Limit => "limit",
            Self::RequestId => "request-id",
            Self::TimeOut => "time-out",
        }
    }

    /// What is true if the rule holds, as a sentence without a period.
    pub fn statement(self) -> &'static str {
        match self {
            Self::Status => "every status is documented for its operation",
            Self::ContentType => "every content type is documented for its response",
            Self::Header => "documented headers are valid, and present if required",
            Self::NotJson => "every JSON response can be parsed",
            Self::Body => "every body is valid against the schema of the contract",
            Self::Published => "every body is valid against the schema of the published contract",
            Self::ServerError => "no request causes a 5xx",
            Self::Code => "every error has the code for its problem",
            Self::Allow => "a 405 lists the methods of its path",
            Self::Secret => "no response contains a secret or the hash of one",
            Self::Accepted => "requests that the contract forbids are rejected",
            Self::Refused => "requests that the contract allows are not rejected as invalid",
            Self::Credential => "missing, unknown, revoked and expired credentials are rejected",
            Self::Scope => "credentials without the scope or role are rejected",
            Self::Tenant => "data of another tenant is not found",
            Self::Effect => "created data can be read, deleted data cannot, rejected requests change nothing",
            Self::Page => "every item is on exactly one page, and the list ends",
            Self::Idempotency => "a repeated request has no second effect",
            Self::MediaType => "bodies with an undocumented media type are rejected",
            Self::Method => "undocumented methods are rejected",
            Self::Limit => "too many requests are rejected with 429",
            Self::RequestId => "every response has a request id of its own",
            Self::TimeOut => "every request gets a response in time",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A violation of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The operationId.
    pub operation: String,
    /// What the request tested: `body without the required member "name"`.
    pub tried: String,
    /// JSON pointer into the body of the response or, if it starts with `#`, into the contract.
    pub pointer: String,
    /// What the contract requires.
    pub expected: String,
    /// What was found.
    pub seen: String,
    /// A command that reproduces the request. Secrets are shell variables unless `--show-secrets` was given.
    pub curl: String,
    /// The `X-Request-Id` of the response, to find it in the server's log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// How often it was found.
    pub times: usize,
}

/// The state of a documented response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "reason")]
pub enum State {
    /// It was seen, and all checks passed.
    Covered,
    /// It was not seen.
    Missing,
    /// It was seen, and a check failed.
    Violated,
    /// No request can cause it, for this reason.
    Unreachable(String),
}

impl State {
    /// The name of the state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Missing => "missing",
            Self::Violated => "violated",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// A documented response of an operation: one status and content type, and for errors one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// `200`; or a range such as `5XX` if no request expects a particular status in it.
    pub status: String,
    /// `application/json`; empty when there is no body.
    pub content_type: String,
    /// The error code; empty if there is none or the settings do not say where it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The state.
    #[serde(flatten)]
    pub state: State,
    /// Number of responses seen.
    pub answers: usize,
}

/// The report of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationReport {
    /// The operationId.
    pub id: String,
    /// The tag.
    pub tag: String,
    /// The method: `POST`.
    pub method: String,
    /// The path: `/api/server/contacts/{id}`.
    pub path: String,
    /// Whether the server implements it. It does not if it answers 501 with the code for that.
    pub built: bool,
    /// Whether it is an addition to the published contract.
    pub addition: bool,
    /// Number of requests sent to it.
    pub requests: usize,
    /// The documented responses.
    pub cells: Vec<Cell>,
}

impl OperationReport {
    /// Number of responses in the state with this name.
    pub fn count(&self, state: &str) -> usize {
        self.cells.iter().filter(|cell| cell.state.name() == state).count()
    }
}

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Title and version of the contract.
    pub contract: String,
    /// Base URL of the server.
    pub base_url: String,
    /// Start time, RFC 3339.
    pub started: String,
    /// Duration in milliseconds.
    pub milliseconds: u64,
    /// Seed of the random values.
    pub seed: u64,
    /// Number of requests sent.
    pub requests: usize,
    /// Why the run ended early; `None` when it was complete.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut_short: Option<String>,
    /// The operations in the order of the contract.
    pub operations: Vec<OperationReport>,
    /// Number of checks by rule. A rule without checks is missing.
    #[serde(default)]
    pub checks: BTreeMap<Rule, usize>,
    /// The violations.
    pub violations: Vec<Violation>,
    /// Remarks that are not violations: flows that could not run, missing credentials.
    pub notes: Vec<String>,
}

/// Totals over operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Number of operations.
    pub operations: usize,
    /// Number of implemented operations.
    pub built: usize,
    /// Responses that were seen and passed all checks.
    pub covered: usize,
    /// Responses that were not seen.
    pub missing: usize,
    /// Responses that were seen and failed a check.
    pub violated: usize,
    /// Responses that no request can cause.
    pub unreachable: usize,
}

impl Totals {
    /// Covered share of the reachable responses in percent; 100 if there are none.
    pub fn percent(&self) -> f64 {
        let reachable = self.covered + self.missing + self.violated;
        if reachable == 0 {
            return 100.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "there are never so many cells")]
        let percent = self.covered as f64 * 100.0 / reachable as f64;
        percent
    }
}

impl Report {
    /// The totals of the operations that `of` selects.
    pub fn totals(&self, of: impl Fn(&OperationReport) -> bool) -> Totals {
        let mut totals = Totals::default();
        for operation in self.operations.iter().filter(|operation| of(operation)) {
            totals.operations += 1;
            totals.built += usize::from(operation.built);
            totals.covered += operation.count("covered");
            totals.missing += operation.count("missing");
            totals.violated += operation.count("violated");
            totals.unreachable += operation.count("unreachable");
        }
        totals
    }

    /// The tags in the order of the contract.
    pub fn tags(&self) -> Vec<&str> {
        let mut tags: Vec<&str> = Vec::new();
        for operation in &self.operations {
            if !tags.contains(&operation.tag.as_str()) {
                tags.push(&operation.tag);
            }
        }
        tags
    }
}
