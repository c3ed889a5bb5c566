//! The server against its contract: conformance, operations, and the columns that hold what it describes.

mod conformance;
mod operations;
mod schema;
