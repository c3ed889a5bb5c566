//! Why a flow stopped.

use std::fmt;

/// Why a flow did not go on.
#[derive(Debug, Clone)]
pub enum Halt {
    /// The server does not have an operation.
    NotBuilt(String),
    /// There is no credential that an operation takes.
    NoCredential(String),
    /// The inputs do not fit a flow.
    LeftOut(String),
    /// Something went wrong, and stands in the record.
    Failed(String),
}

impl fmt::Display for Halt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt(operation) => write!(formatter, "the server does not have {operation} yet"),
            Self::NoCredential(kinds) => write!(formatter, "there is no credential of kind {kinds}"),
            Self::LeftOut(reason) | Self::Failed(reason) => formatter.write_str(reason),
        }
    }
}
