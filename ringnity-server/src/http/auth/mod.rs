//! Authentication: from credentials to typed principals. Scopes, roles and features are checked by generated code, the
//! rest by `app`.

pub mod authenticate;
mod sdk;
