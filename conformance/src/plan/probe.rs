//! A request with its expected result.

use crate::draft::Draft;
use crate::report::Rule;

/// The expected result of a request.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// Any documented response.
    Documented,
    /// Not rejected as invalid. It may be rejected for other reasons, such as a conflict.
    Valid,
    /// Neither 401 nor 403.
    Authorized,
    /// Rejected.
    Rejected {
        /// The rule that is violated otherwise.
        rule: Rule,
        /// The accepted statuses, the usual one first; empty means any 4xx.
        statuses: Vec<u16>,
        /// The accepted error codes; empty means any.
        codes: Vec<String>,
        /// JSON pointer of the rule in the contract.
        pointer: String,
    },
}

/// A request with its expected result.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What the request tests, for reports.
    pub description: String,
    /// The request.
    pub draft: Draft,
    /// The expected result.
    pub expect: Expectation,
}
