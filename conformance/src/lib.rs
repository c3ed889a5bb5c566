//! Black-box conformance: what a server does against what its contract says.
//!
//! [`values`] makes values from any JSON Schema: valid ones, the ones on its boundaries, and ones that break
//! exactly one keyword. [`contract`] reads a contract. [`diff`] compares two descriptions of one API. [`report`]
//! tells what was found. Neither knows a product: what they know comes from the documents they are given.

pub mod contract;
pub mod diff;
pub mod report;
pub mod values;
