//! Background jobs: the runner, leases, and the jobs that delete expired rows.

mod expiry;
pub mod leases;
pub mod runner;
