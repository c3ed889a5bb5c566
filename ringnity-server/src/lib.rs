//! The Ringnity server as a library, so that tests run the same code as the program.

// `print!` and `eprint!` panic when the output is closed, and a server must survive a closed terminal and a full disk.
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
