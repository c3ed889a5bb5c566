//! What generated server code stands on: reading and checking requests, credentials, answers, routes.
//! Neutral to the contract: nothing here may name an operation, a schema or a credential of any document.

mod answer;
mod body;
mod boundary;
mod call;
mod fault;
mod gate;
mod hooks;
mod input;
mod json;
mod lines;
mod operation;
mod route;
mod serve;
mod server;

pub use answer::{Content, Encoded, Redirect, Reply};
pub use body::{BytesBody, FilePart, Form, TextBody};
pub use boundary::{Boundary, BoundaryError, Direction, ResponseCheck};
pub use call::Call;
pub use fault::{Code, Fault, Problem};
pub use gate::{AuthFailure, Credential, CredentialKind, Gate, Scoped, Source};
pub use hooks::{Cors, Hooks};
pub use input::{Described, Incoming, Parts, Raw, Received, missing_body};
pub use json::parse as parse_json;
pub use operation::{
    Access, Body, ErrorShape, Fill, FormField, Kind, Media, MediaForm, Member, Operation, Param, Place,
};
pub use route::{pick, register_missing, unrouted};
pub use serve::{Turn, begin, due, finish, maybe};
pub use server::{config, logger, start};
