//! What a run found, and how it is told: as text, JSON, JUnit, HTML and Markdown. Nothing is judged or sent here.

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

/// What is checked. The name is stable: reports, filters and baselines use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// The status is one that the operation documents.
    Status,
    /// The content type is one that the answer documents, or there is no body where none is documented.
    ContentType,
    /// Documented headers are there when they are required, and valid.
    Header,
    /// What calls itself JSON is JSON.
    NotJson,
    /// The body is valid against the schema of the effective contract.
    Body,
    /// The body is valid against the schema of the contract as published, before corrections.
    Published,
    /// No request causes a 5xx.
    ServerError,
    /// The error code is the one that the settings give for the problem.
    Code,
    /// A 405 lists the documented methods of its path, and no others.
    Allow,
    /// No secret and no hash of one stands in an answer.
    Secret,
    /// A request that the contract forbids is refused.
    Accepted,
    /// A request that the contract allows is not refused as invalid, and flows go through.
    Refused,
    /// A credential that does not fit is refused.
    Credential,
    /// A credential that lacks a scope, or acts in another role, is refused with 403.
    Scope,
    /// What belongs to another tenant does not exist.
    Tenant,
    /// What was created can be read, what was deleted cannot, and a refused request changes nothing.
    Effect,
    /// Pages hold what was asked, every item stands on one page, and there is an end.
    Page,
    /// A repeat with the same idempotency key gets the same answer and has no second effect.
    Idempotency,
    /// A body of another media type is refused.
    MediaType,
    /// A method that the contract does not have is refused.
    Method,
    /// Who asks too often is refused with 429.
    Limit,
    /// Request ids are there and differ.
    RequestId,
    /// There is an answer in time.
    TimeOut,
}

impl Rule {
    /// Every rule, in the order of the checks.
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

    /// What holds where nothing is violated.
    pub fn promise(self) -> &'static str {
        match self {
            Self::Status => "every status is one that the operation documents",
            Self::ContentType => "every content type is one that the answer documents",
            Self::Header => "documented headers are there when required, and valid",
            Self::NotJson => "what calls itself JSON is JSON",
            Self::Body => "every body is valid against the contract's schema",
            Self::Published => "every body is valid against the schema as published, too",
            Self::ServerError => "no request causes a 5xx",
            Self::Code => "every problem has the error code that is its own",
            Self::Allow => "a 405 lists the methods that its path has",
            Self::Secret => "no secret and no hash of one stands in an answer",
            Self::Accepted => "what the contract forbids is refused",
            Self::Refused => "what the contract allows is not refused as invalid",
            Self::Credential => "a credential that does not fit is refused",
            Self::Scope => "a missing scope or another role is refused",
            Self::Tenant => "what belongs to another tenant does not exist",
            Self::Effect => "answers are true: created is there, deleted is gone, refused changed nothing",
            Self::Page => "every item stands on exactly one page, and there is an end",
            Self::Idempotency => "a repeat has no second effect",
            Self::MediaType => "a body of another media type is refused",
            Self::Method => "methods that are not documented are not served",
            Self::Limit => "who asks too often is refused with 429",
            Self::RequestId => "every answer has a request id of its own",
            Self::TimeOut => "every request is answered in time",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A rule that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// The operationId.
    pub operation: String,
    /// What was tried, in words: `body without the required member "name"`.
    pub tried: String,
    /// JSON pointer of the place: in the body that was answered or, where that was fine, in the contract.
    pub pointer: String,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub seen: String,
    /// A command that does it again. Credentials are shell variables unless secrets were asked for.
    pub curl: String,
    /// The `X-Request-Id` of the answer, for the server's log.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
    /// How often the same was seen.
    pub times: usize,
}

/// How a cell of the matrix ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state", content = "reason")]
pub enum State {
    /// It was answered so, and nothing was wrong with it.
    Covered,
    /// It is documented and was not seen.
    Missing,
    /// It was answered so, and something was wrong with it.
    Violated,
    /// It cannot be caused from outside, for this reason.
    Unreachable(String),
}

impl State {
    /// The state without its reason.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Covered => "covered",
            Self::Missing => "missing",
            Self::Violated => "violated",
            Self::Unreachable(_) => "unreachable",
        }
    }
}

/// One status and content type of an operation, and of errors one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// `200`; or `5XX`, where the contract names a range and no request aims at a status in it.
    pub status: String,
    /// `application/json`; empty when the answer has no body.
    pub content_type: String,
    /// The code of the error; empty where there is none, or where the settings do not say where it stands.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// How it ended.
    #[serde(flatten)]
    pub state: State,
    /// How many answers were such.
    pub answers: usize,
}

/// What was found of one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationReport {
    /// The operationId.
    pub id: String,
    /// Its tag.
    pub tag: String,
    /// `POST`.
    pub method: String,
    /// `/api/server/contacts/{id}`.
    pub path: String,
    /// Whether the server has it: it did not say that it is not built yet.
    pub built: bool,
    /// Whether an addition to the published contract.
    pub addition: bool,
    /// How many requests were sent to it.
    pub requests: usize,
    /// Its matrix.
    pub cells: Vec<Cell>,
}

impl OperationReport {
    /// How many cells are in a state, by its name.
    pub fn count(&self, state: &str) -> usize {
        self.cells.iter().filter(|cell| cell.state.name() == state).count()
    }
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Title and version of the contract.
    pub contract: String,
    /// The server.
    pub base_url: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What decided the chances.
    pub seed: u64,
    /// How many requests were sent.
    pub requests: usize,
    /// Why it ended early; `None` when everything planned was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cut_short: Option<String>,
    /// What was found of each operation, in the order of the contract.
    pub operations: Vec<OperationReport>,
    /// How often each rule was looked at; a rule that is not here had no occasion.
    #[serde(default)]
    pub checks: BTreeMap<Rule, usize>,
    /// The rules that were broken.
    pub violations: Vec<Violation>,
    /// What one should know and what breaks no rule: flows that could not run, credentials that are not there.
    pub notes: Vec<String>,
}

/// Sums over operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Operations of the contract.
    pub operations: usize,
    /// Those that the server has.
    pub built: usize,
    /// Cells by state.
    pub covered: usize,
    /// Documented and not seen.
    pub missing: usize,
    /// Seen and wrong.
    pub violated: usize,
    /// Not to be caused from outside.
    pub unreachable: usize,
}

impl Totals {
    /// Covered cells of those that can be reached, in percent; 100 where there are none.
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
    /// The sums over the operations that `of` picks.
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

    /// The tags, in the order of the contract.
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
