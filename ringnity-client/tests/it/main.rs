//! What goes over the wire and what comes back, against a small server in the same process.

mod answers;
mod every_operation;
#[rustfmt::skip]
mod generated;
mod requests;
mod server;
