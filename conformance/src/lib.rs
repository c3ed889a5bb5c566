//! Black-box conformance checks: compares the behavior of a server with its contract.
//!
//! [`contract`] reads a contract and [`flows`] reads the order in which operations have to be called. [`values`]
//! makes values from a JSON Schema: valid values, boundary values, and values that break exactly one keyword.
//! [`plan`] turns these into requests with an expectation each. [`run`] sends the requests, [`checker`] checks the
//! responses, and [`report`] renders the result.
//!
//! [`proxy`] checks the traffic of other clients. [`diff`] compares two OpenAPI documents of one API. [`issuer`]
//! signs ID tokens.
//!
//! These modules know nothing of a particular product; everything comes from the documents that they are given. The
//! exception is [`ringnity`], which holds the documents of ringnity-server.

pub mod checker;
pub mod contract;
pub mod credential;
pub mod diff;
pub mod draft;
pub mod flows;
pub mod inputs;
pub mod issuer;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod ringnity;
pub mod run;
pub mod values;
pub mod wire;
