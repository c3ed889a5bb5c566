//! The error of a flow.

use std::fmt;

/// Why a flow stopped.
#[derive(Debug, Clone)]
pub enum FlowError {
    /// The server does not implement this operation.
    NotImplemented(String),
    /// There is no credential of these kinds.
    NoCredential(String),
    /// The inputs do not satisfy the schema of the flow.
    Skipped(String),
    /// A step failed. The finding is in the record.
    Failed(String),
}

impl fmt::Display for FlowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotImplemented(operation) => write!(formatter, "the server does not implement {operation}"),
            Self::NoCredential(kinds) => write!(formatter, "there is no credential of kind {kinds}"),
            Self::Skipped(reason) | Self::Failed(reason) => formatter.write_str(reason),
        }
    }
}
