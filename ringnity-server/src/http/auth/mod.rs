//! Credentials → typed principals. What a principal may then do is decided by the contract's scopes (in
//! generated code) and by `app`; nothing here answers a request.

pub mod authenticate;
pub mod caller;
mod sdk;
