//! What generated clients need and no contract decides: the client itself, credentials, responses, errors,
//! uploads. Copied as it is beside the generated code of any other document, so it names nothing of this one.

pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod credential;
pub(crate) mod error;
pub(crate) mod operation;
pub(crate) mod response;
pub(crate) mod upload;
pub(crate) mod wire;

pub use client::{Client, ClientBuilder};
pub use credential::{Anonymous, Attachment, Credential, Secret};
pub use error::{ApiError, ErrorBody, Members};
pub use operation::{Operation, Parameter, Place};
pub use response::{ByteStream, Redirect, Response, Text};
pub use upload::Upload;
