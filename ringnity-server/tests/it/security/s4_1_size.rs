//! S4.1: a body that is too large is refused while it is being sent. The depth of JSON is tested in `s4_2_input`.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::{TestServer, on_each_engine};

/// What a client may have sent before it sees the refusal: what the server drains, and what is in transit.
const ENOUGH: usize = 32 << 20;

fn connect(server: &TestServer) -> TcpStream {
    let socket = TcpStream::connect(server.base.trim_start_matches("http://")).expect("connects");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    socket.set_write_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    socket
}

/// The status line of the answer.
fn status(mut socket: TcpStream) -> String {
    let mut answer = vec![0; 512];
    let read = socket.read(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or_default().to_owned()
}

const PATHS: [(&str, bool); 3] =
    [("/api/server/contacts", true), ("/api/auth/owner-login", false), ("/api/sdk/session", false)];

#[test]
fn s4_1_a_body_that_says_it_is_a_gigabyte_is_refused_before_any_of_it_is_sent() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for (path, with_key) in PATHS {
            let key =
                if with_key { format!("authorization: Bearer {}\r\n", server.key()) } else { String::new() };
            let started = Instant::now();
            let mut socket = connect(&server);
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\n{key}content-type: application/json\r\ncontent-length: 1073741824\r\n\r\n"
            );
            let answer = tokio::task::spawn_blocking(move || {
                socket.write_all(head.as_bytes()).expect("sends");
                status(socket)
            });
            assert_eq!(answer.await.expect("an answer"), "HTTP/1.1 413 Payload Too Large", "{path}");
            assert!(started.elapsed() < Duration::from_secs(5), "{path} took {:?}", started.elapsed());
        }
    });
}

#[test]
fn s4_1_a_body_without_an_end_is_refused_while_it_is_sent() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        for (path, with_key) in PATHS {
            let key =
                if with_key { format!("authorization: Bearer {}\r\n", server.key()) } else { String::new() };
            let mut socket = connect(&server);
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\n{key}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let sending = tokio::task::spawn_blocking(move || {
                socket.write_all(head.as_bytes()).expect("sends");
                let chunk = format!("10000\r\n{}\r\n", " ".repeat(65536));
                let mut sent = 0;
                let mut reader = socket.try_clone().expect("a second handle");
                reader.set_nonblocking(true).expect("asks without waiting");
                let mut answer = Vec::new();
                let mut part = [0; 512];
                while sent < 1 << 30 {
                    socket.set_nonblocking(false).expect("waits");
                    if socket.write_all(chunk.as_bytes()).is_err() {
                        break;
                    }
                    sent += chunk.len();
                    socket.set_nonblocking(true).expect("asks without waiting");
                    match reader.read(&mut part) {
                        Ok(0) => break,
                        Ok(read) => {
                            answer.extend_from_slice(&part[..read]);
                            break;
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(_) => break,
                    }
                }
                if answer.is_empty() {
                    // The server has closed the connection; its answer can still be read.
                    reader.set_nonblocking(false).expect("waits");
                    let read = reader.read(&mut part).unwrap_or_default();
                    answer.extend_from_slice(&part[..read]);
                }
                (sent, String::from_utf8_lossy(&answer).into_owned())
            });
            let (sent, answer) = sending.await.expect("an end");
            assert!(sent < ENOUGH, "{path}: {sent} bytes were taken");
            assert!(answer.starts_with("HTTP/1.1 413"), "{path}, after {sent} bytes: {answer}");
            ringnity_store::print_always!(
                "{path}: refused after {} KiB of a body without an end",
                sent >> 10
            );
        }
        server.get("/api/server/health").bearer(server.key()).send().await.ok();
    });
}
