//! The program: its command line is the library's `cli`, so that nothing here can differ from what is tested.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    ringnity_server::cli::main().await
}
