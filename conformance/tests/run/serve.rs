//! A small HTTP server for tests with one handler, on a free port.

use std::convert::Infallible;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running server. It stops when this value is dropped.
#[derive(Debug)]
pub struct Server {
    /// The base URL without a trailing slash.
    pub base_url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Serves `handler` on a free port of localhost. It runs on its own thread, so tests may block their runtime.
pub fn start<H, F>(handler: H) -> Server
where
    H: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Bytes>> + 'static,
{
    let (stop, stopped) = oneshot::channel();
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
            sender.send(listener.local_addr().expect("it has an address")).expect("the test waits for it");
            tokio::select! {
                () = accept(listener, handler) => {}
                _ = stopped => {}
            }
        });
        // Open connections and pending responses end with their runtime.
    });
    let address: SocketAddr = receiver.recv().expect("the server starts");
    Server { base_url: format!("http://{address}"), stop: Some(stop), thread: Some(thread) }
}

async fn accept<H, F>(listener: TcpListener, handler: H)
where
    H: Fn(Request<Bytes>) -> F + Clone + 'static,
    F: Future<Output = Response<Bytes>> + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let handler = handler.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let handler = handler.clone();
            async move {
                let (head, body) = request.into_parts();
                // An incomplete body is treated as empty; the client is gone anyway.
                let body = body.collect().await.map(|whole| whole.to_bytes()).unwrap_or_default();
                Ok::<_, Infallible>(handler(Request::from_parts(head, body)).await.map(Full::new))
            }
        });
        tokio::task::spawn_local(async move {
            // A client that disconnects is not an error.
            http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
