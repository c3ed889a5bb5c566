//! The Ringnity server as a library, so that tests start the very thing that runs.

// They panic when nobody takes what is printed, and a server outlives its terminal, its log's reader and a full disk.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
mod database_lock;
pub mod demo;
mod http;
pub mod jobs;
pub mod providers;
pub mod secrets;
pub mod serve;
pub mod telemetry;
mod tls;
