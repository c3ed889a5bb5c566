//! The Ringnity server as a library, so that tests start the very thing that runs.

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
pub mod serve;
mod state;
mod tls;
