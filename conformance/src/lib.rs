//! Black-box conformance: what a server does against what its contract says.
//!
//! [`values`] makes values from any JSON Schema: valid ones, the ones on its boundaries, and ones that break
//! exactly one keyword. [`diff`] compares two descriptions of one API. Neither knows a product: what they know
//! comes from the documents they are given.

pub mod diff;
pub mod values;
