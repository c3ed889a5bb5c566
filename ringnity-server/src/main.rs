//! The program: runs the library's command line.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ringnity_server::cli::main().await
}
