//! What generated server code builds on: authentication, reading and validating requests, responses, routes. Nothing
//! here names an operation, a schema or a credential of any document.

mod authentication;
mod body;
mod call;
mod content;
mod decode;
mod extract;
mod fault;
mod head;
mod hooks;
mod input;
mod json;
mod operation;
mod path;
mod problem;
mod response;
mod route;
mod schema;
mod serve;
mod server;
mod violations;

pub use authentication::{
    AuthFailure, Authenticated, Authenticator, Credential, CredentialKind, CredentialLocation, Identified,
    Permissions, authenticate_credential, authorize,
};
pub use call::Call;
pub use content::{BytesBody, Content, FilePart, Form, Redirect, TextBody};
pub use extract::{RequestExtractor, UnreadRequest};
pub use fault::{Code, Fault};
pub use head::RequestHead;
pub use hooks::{CallOf, Cors, HeadOf, Hooks, OperationContext};
pub use input::{ReceivedBody, ValidatedInput, missing_body};
pub use json::parse as parse_json;
pub use operation::{
    Access, Body, ErrorField, ErrorMember, ErrorShape, FormField, HasOperation, Media, MediaForm, Operation,
    Param, ParamLocation, ValueType,
};
pub use path::match_operation;
pub use problem::Problem;
pub use response::{Encoded, Reply};
pub use route::{register_missing_methods, respond_unrouted};
pub use schema::{ResponseCheck, SchemaError, SchemaValidator};
pub use serve::{Prepared, optional_principal, prepare, required_principal, respond};
pub use server::{config, logger, start};
