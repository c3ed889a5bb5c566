//! Hand-written part of every generated client: the client itself, credentials, responses, errors, uploads.
//!
//! The generator copies this folder next to the generated code of other contracts. Nothing here may name a
//! schema, a path or a product.

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
