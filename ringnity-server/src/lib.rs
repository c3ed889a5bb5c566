//! The Ringnity server as a library, so that tests start the very thing that runs.

// They panic when nobody takes what is printed, and a server outlives its terminal, its log's reader and a full disk.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod app;
pub mod auth;
mod claim;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
mod fault;
pub mod jobs;
mod limits;
pub mod logs;
mod metrics;
pub mod outbound;
mod pages;
mod private;
mod routes;
pub mod secrets;
pub mod serve;
mod state;
mod tls;
