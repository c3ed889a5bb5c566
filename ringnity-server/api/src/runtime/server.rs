//! Starting dropshot the way generated code expects it.

use std::net::SocketAddr;

use dropshot::{
    ApiDescription, BuildError, ConfigDropshot, ConfigTls, HandlerTaskMode, HttpServer, ServerBuilder,
    ServerContext,
};
use slog::Drain as _;

/// dropshot's settings: handlers run to their end although the client has left.
pub fn config(listen: SocketAddr) -> ConfigDropshot {
    ConfigDropshot {
        bind_address: listen,
        // Generated endpoints read bodies themselves, each with its own limit; this is for hand-written ones.
        default_request_body_max_bytes: 1024 * 1024,
        default_handler_task_mode: HandlerTaskMode::Detached,
        ..ConfigDropshot::default()
    }
}

/// dropshot's own log lines go to `tracing`, without their key-value pairs: these hold whole request targets,
/// and some queries are secrets.
pub fn logger() -> slog::Logger {
    slog::Logger::root(tracing_slog::TracingSlogDrain.fuse(), slog::o!())
}

/// Starts serving, by HTTPS where `tls` says with what.
pub fn start<C: ServerContext>(
    api: ApiDescription<C>,
    context: C,
    listen: SocketAddr,
    tls: Option<ConfigTls>,
) -> Result<HttpServer<C>, BuildError> {
    ServerBuilder::new(api, context, logger()).config(config(listen)).tls(tls).start()
}
