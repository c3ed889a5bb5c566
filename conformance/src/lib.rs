//! Black-box conformance: what a server does against what its contract says.
//!
//! [`contract`] reads a contract, [`flows`] what has to be called in which order. [`values`] makes values from any
//! JSON Schema: valid ones, the ones on its boundaries, and ones that break exactly one keyword. [`plan`] makes
//! requests of all that, [`run`] sends them, [`judge`] judges the answers, [`report`] tells what was found.
//! [`proxy`] judges the traffic of others. [`diff`] compares two descriptions of one API. [`issuer`] signs ID tokens.
//! None of them knows a product: what they know comes from the documents that they are given; [`own`] has those of
//! ringnity-server.

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
