//! What generated clients need and no contract decides: the client itself, credentials, responses, errors,
//! uploads. Copied as it is beside the generated code of any other document, so it names nothing of this one.

pub(crate) mod client;
pub(crate) mod credential;
pub(crate) mod error;
pub(crate) mod operation;
pub(crate) mod progenitor;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod transport;
pub(crate) mod upload;

pub use client::{Client, ClientBuilder};
pub use credential::{Anonymous, Credential, CredentialPlacement, Secret};
pub use error::{ApiError, ErrorBody, ErrorFields};
pub use operation::{Operation, Parameter, ParameterLocation};
pub use response::{ByteStream, Redirect, Response, Text};
pub use upload::Upload;
