//! Why a flow stopped.

use std::fmt;

/// Why a flow did not go on.
#[derive(Debug, Clone)]
pub enum FlowError {
    /// The server does not have an operation.
    NotImplemented(String),
    /// There is no credential that an operation takes.
    NoCredential(String),
    /// The inputs do not fit a flow.
    Skipped(String),
    /// Something went wrong, and stands in the record.
    Failed(String),
}

impl fmt::Display for FlowError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotImplemented(operation) => write!(formatter, "the server does not have {operation} yet"),
            Self::NoCredential(kinds) => write!(formatter, "there is no credential of kind {kinds}"),
            Self::Skipped(reason) | Self::Failed(reason) => formatter.write_str(reason),
        }
    }
}
