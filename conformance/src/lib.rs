//! Black-box conformance: what a server does against what its contract says.
//!
//! [`values`] makes values from any JSON Schema: valid ones, the ones on its boundaries, and ones that break
//! exactly one keyword. It knows no product: what it knows comes from the document it is given.

pub mod values;
