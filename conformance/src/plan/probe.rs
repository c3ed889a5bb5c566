//! A request, and what it should lead to.

use crate::draft::Draft;
use crate::report::Rule;

/// What a request should lead to.
#[derive(Debug, Clone)]
pub enum Expectation {
    /// Whatever the contract documents.
    Documented,
    /// It is not refused as invalid; its meaning may be refused.
    Valid,
    /// It gets past authentication and scopes.
    Authorized,
    /// It is refused.
    Rejected {
        /// The rule that is broken when it is not.
        rule: Rule,
        /// The statuses that refuse it rightly; the first is the usual one. Empty: any 4xx.
        statuses: Vec<u16>,
        /// The codes that the error may have; empty when the settings do not say.
        codes: Vec<String>,
        /// Pointer, in the contract, of what refuses it.
        pointer: String,
    },
}

/// A request and what it should lead to.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What is tried, in words.
    pub description: String,
    /// The request.
    pub draft: Draft,
    /// What it should lead to.
    pub expect: Expectation,
}
