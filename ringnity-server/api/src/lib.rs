//! The server side of the Ringnity Developer Platform, generated from its contract: one required handler per
//! operation, with typed input that already passed the schema, typed output and a typed principal.
//!
//! A server implements [`Operations`] once and `…Operations` for every group (tag) of the contract; its state
//! implements [`Hooks`] and [`Authenticate`]. [`api_description`] then gives dropshot
//! everything, and [`runtime::start`] serves it. Rules and storage are not here.
//!
//! An operation that is left out does not compile, and the compiler names it:
//!
//! ```compile_fail,E0046
//! use ringnity_api::{Authenticate, CallsOperations, Operations};
//!
//! struct Routes<App>(std::marker::PhantomData<App>);
//!
//! impl<App: Authenticate> Operations for Routes<App> {
//!     type Context = App;
//! }
//!
//! // not all trait items implemented, missing: `create_call_session`, `get_call_session`, `end_call_session`
//! impl<App: Authenticate> CallsOperations for Routes<App> {}
//! ```

mod dashboard;
#[rustfmt::skip]
#[allow(clippy::doc_markdown, clippy::all, reason = "the contract's words, and code that no one reads for style")]
mod generated;
pub mod principal;
pub mod runtime;
mod tenant;

pub use generated::*;
pub use runtime::{
    AuthFailure, Authenticated, BytesBody, Call, Content, Cors, Credential, CredentialLocation, Fault,
    FilePart, Hooks, Operation, OperationContext, Permissions, Problem, Redirect, RequestHead, ResponseCheck,
    SchemaValidator, TextBody,
};
pub use tenant::TenantHints;
