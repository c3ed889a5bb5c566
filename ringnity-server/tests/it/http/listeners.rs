//! Listeners: HTTPS from files, the private listener, shutdown and logs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client, StatusCode};
use ringnity_server::config::ServeConfig;
use serde_json::Value;

use crate::support::fixtures::Fixtures;
use crate::support::node::Cluster;
use crate::support::{TestServer, on_each_engine};

/// Writes a certificate for 127.0.0.1 and its key to two files; returns the certificate as PEM.
fn certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("writes");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("writes");
    made.cert.pem()
}

/// A client that trusts only this certificate.
fn client_trusting(pem: &str) -> Client {
    let root = Certificate::from_pem(pem.as_bytes()).expect("PEM");
    Client::builder().no_proxy().tls_certs_only([root]).pool_max_idle_per_host(0).build().expect("client")
}

#[test]
fn serves_https_and_reloads_renewed_certificate() {
    let folder = tempfile::tempdir().expect("folder");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let files = || (Some(cert.clone()), Some(key.clone()));
    certificate(folder.path());
    on_each_engine(async |engine| {
        let files = |config: &mut ServeConfig| (config.tls_cert, config.tls_key) = files();
        let server = TestServer::builder(engine).configure(files).start().await;
        let first = std::fs::read_to_string(&cert).expect("reads");
        let url = format!("{}/api/sdk/health", server.base);
        assert!(url.starts_with("https://"), "{url}");
        let answer = client_trusting(&first).get(&url).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let plain = url.replace("https://", "http://");
        assert!(Client::new().get(plain).send().await.is_err(), "answers without TLS");

        // Files that do not match leave the loaded certificate in use.
        std::fs::write(&key, "nothing").expect("writes");
        tokio::time::sleep(Duration::from_secs(3)).await;
        client_trusting(&first).get(&url).send().await.expect("the old certificate");
        let second = certificate(folder.path());
        let started = Instant::now();
        while client_trusting(&second).get(&url).send().await.is_err() {
            assert!(started.elapsed() < Duration::from_secs(30), "the renewed certificate is not taken up");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(client_trusting(&first).get(&url).send().await.is_err(), "the old certificate is still used");
    });
}

#[test]
fn rejects_unusable_certificate_with_file_name() {
    let folder = tempfile::tempdir().expect("folder");
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    certificate(folder.path());
    let other = std::fs::read_to_string(&key).expect("reads");
    certificate(folder.path());
    let own = std::fs::read_to_string(&key).expect("reads");
    let chain = std::fs::read_to_string(&cert).expect("reads");
    for (chain, key_text, words) in [
        (chain.as_str(), other.as_str(), "does not belong to"),
        (chain.as_str(), "", "key.pem"),
        ("", own.as_str(), "cert.pem"),
    ] {
        std::fs::write(&cert, chain).expect("writes");
        std::fs::write(&key, key_text).expect("writes");
        let output = Command::new(env!("CARGO_BIN_EXE_ringnity-server"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--tls-cert")
            .arg(&cert)
            .arg("--tls-key")
            .arg(&key)
            .output()
            .expect("runs");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(words), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

/// The value of the metric line with this prefix.
fn metric(text: &str, begins: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(begins));
    line.unwrap_or_else(|| panic!("no line begins with {begins}:\n{text}")).trim().parse().expect("a number")
}

#[test]
fn private_listener_serves_metrics_and_readiness() {
    let listen = Some("127.0.0.1:0".parse().expect("address"));
    on_each_engine(async |engine| {
        let private = |config: &mut ServeConfig| config.private_listen = listen;
        let server = TestServer::builder(engine).tenant("acme").configure(private).start().await;
        server.get("/api/server/contacts").bearer(server.key()).send().await.ok();
        server
            .get("/api/server/contacts")
            .bearer("nonsense")
            .send()
            .await
            .refused(401, "SERVER_API_KEY_INVALID");
        let private = server.private();
        let http = Client::builder().no_proxy().build().expect("client");
        let ask = async |path: &str| {
            let answer = http.get(format!("{private}{path}")).send().await.expect("an answer");
            (answer.status(), answer.text().await.expect("a body"))
        };
        let (status, text) = ask("/metrics").await;
        assert_eq!(status, StatusCode::OK);
        let of = |status: u16| {
            format!("ringnity_requests_total{{operation=\"listContacts\",status=\"{status}\"}}")
        };
        assert_eq!((metric(&text, &of(200)), metric(&text, &of(401))), (1.0, 1.0));
        let timed = "ringnity_request_duration_seconds_count{operation=\"listContacts\"}";
        assert_eq!(metric(&text, timed), 2.0);
        assert_eq!(metric(&text, "ringnity_database_up"), 1.0);
        assert_eq!(metric(&text, "ringnity_jobs_failing"), 0.0);
        assert!(metric(&text, "ringnity_store_connections ") >= 2.0);
        assert!(!text.contains(server.key()) && text.ends_with("# EOF\n"), "{text}");
        for path in ["/health", "/ready"] {
            assert_eq!(ask(path).await.0, StatusCode::OK, "{path}");
        }
        // The public listener serves none of this.
        for path in ["/metrics", "/ready"] {
            let answer = http.get(format!("{}{path}", server.base)).send().await.expect("an answer");
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    });
}

/// Starts the program in a folder; returns it with the address that it prints.
fn program(folder: &Path, change: impl FnOnce(&mut Command) -> &mut Command) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringnity-server"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder).env_remove("RUST_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = change(&mut command).spawn().expect("starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
    let base =
        line.split_whitespace().find(|word| word.starts_with("http://")).expect("an address").to_owned();
    (child, base)
}

#[test]
#[cfg(unix)]
fn notifies_service_manager() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let receive = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let (mut child, base) = program(folder.path(), |command| command.env("NOTIFY_SOCKET", &path));
    assert_eq!(receive().trim(), "READY=1");
    TcpStream::connect(base.trim_start_matches("http://")).expect("it listens");
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(receive().trim(), "STOPPING=1");
    assert!(child.wait().expect("ends").success());
}

#[test]
#[cfg(unix)]
fn serves_during_shutdown_delay_and_reports_not_ready() {
    let folder = tempfile::tempdir().expect("folder");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let private = free.local_addr().expect("an address").to_string();
    drop(free);
    let arguments = ["--private-listen", &private, "--stop-delay", "3"];
    let (mut child, base) = program(folder.path(), |command| command.args(arguments));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let http = Client::builder().no_proxy().build().expect("client");
        let status =
            async |url: String| http.get(url).send().await.map(|answer| answer.status().as_u16()).ok();
        let (ready, health) = (format!("http://{private}/ready"), format!("{base}/api/sdk/health"));
        assert_eq!((status(ready.clone()).await, status(health.clone()).await), (Some(200), Some(200)));
        let signalled = Instant::now();
        assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill runs").success());
        while status(ready.clone()).await != Some(503) {
            assert!(signalled.elapsed() < Duration::from_secs(2), "it is still ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let answer = http.get(health).send().await.expect("it serves during the shutdown delay");
        let last = answer.headers().get("connection").and_then(|value| value.to_str().ok());
        assert_eq!((answer.status().as_u16(), last), (200, Some("close")), "and no connection stays open");
        assert!(child.wait().expect("ends").success());
        assert!(signalled.elapsed() >= Duration::from_secs(3), "it ended at once");
    });
}

#[test]
fn writes_json_log_with_request_id() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut child, base) = program(folder.path(), |command| command.args(["--log-format", "json"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let id = runtime.block_on(async {
        let http = Client::builder().no_proxy().build().expect("client");
        let url = format!("{base}/api/server/contacts?search=private");
        let answer = http.get(url).bearer_auth("rn_sk_live_secret").send().await.expect("an answer");
        answer.headers()["x-request-id"].to_str().expect("text").to_owned()
    });
    child.kill().expect("ends");
    let mut text = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut text).expect("text");
    child.wait().expect("ends");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let output = lines.iter().find(|line| line["request_id"] == id.as_str());
    let output = output.unwrap_or_else(|| panic!("no line of {id}: {text}"));
    assert_eq!((&output["operation"], &output["status"]), (&"listContacts".into(), &401.into()), "{output}");
    assert!(output["timestamp"].is_string() && output["level"].is_string(), "{output}");
    assert!(!text.contains("rn_sk_live_secret") && !text.contains("private"), "{text}");
}

/// A log file on a full disk.
#[cfg(target_os = "linux")]
fn full_disk() -> Stdio {
    std::fs::File::options().write(true).open("/dev/full").expect("opens").into()
}

#[test]
#[cfg(target_os = "linux")]
fn serves_and_stops_without_writable_log() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    for (what, log) in [("a full disk", full_disk()), ("a reader that is gone", Stdio::piped())] {
        let folder = tempfile::tempdir().expect("folder");
        let arguments = ["--log-format", "json"];
        let (mut child, base) = program(folder.path(), |command| command.args(arguments).stderr(log));
        drop(child.stderr.take());
        for _ in 0..3 {
            let asked = runtime.block_on(async {
                Client::builder().no_proxy().build()?.get(format!("{base}/api/sdk/health")).send().await
            });
            assert_eq!(asked.unwrap_or_else(|error| panic!("{what}: {error}")).status(), StatusCode::OK);
        }
        assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill runs").success());
        let ended = child.wait().expect("ends");
        assert_eq!(ended.code(), Some(0), "{what}: {ended}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn exit_code_reports_failure_without_stderr() {
    let folder = tempfile::tempdir().expect("folder");
    let unreadable = folder.path().join("no.toml");
    let unreadable = unreadable.to_string_lossy();
    for (arguments, code) in [
        (["tenant", "list", "--data-dir", "/nowhere"].as_slice(), 1),
        (&["--config", &unreadable, "tenant", "list"], 1),
        (&["--config", &unreadable, "config", "check"], 1),
        (&["tenant", "list", "--no-such-flag"], 2),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringnity-server"));
        let ended = command.args(arguments).stdout(full_disk()).stderr(full_disk()).status().expect("runs");
        assert_eq!(ended.code(), Some(code), "{arguments:?}: {ended}");
    }
}

/// A connection on which no request is sent yet.
fn connection(base: &str) -> TcpStream {
    let connection = TcpStream::connect(base.trim_start_matches("http://")).expect("connects");
    connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    connection
}

/// An HTTP/2 connection whose client sends no request.
fn silent_http2(base: &str) -> TcpStream {
    let mut silent = connection(base);
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("sends");
    silent.read_exact(&mut [0; 9]).expect("the head of its settings");
    silent
}

#[test]
#[cfg(unix)]
fn idle_client_does_not_delay_shutdown() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut child, base) = program(folder.path(), |command| command);
    let _silent = [connection(&base), silent_http2(&base)];
    let signalled = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill runs").success());
    assert!(child.wait().expect("ends").success());
    let took = signalled.elapsed();
    assert!(took < Duration::from_secs(20), "it took {took:.0?}");
}

#[test]
#[cfg(unix)]
fn shutdown_waits_for_request_in_flight() {
    let folder = tempfile::tempdir().expect("folder");
    let (mut child, base) = program(folder.path(), |command| command);
    let _silent = silent_http2(&base);
    let body = r#"{ "email": "nobody@example.com", "password": "wrong" }"#;
    let mut slow = connection(&base);
    let head = "POST /api/auth/owner-login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue";
    write!(slow, "{head}\r\nContent-Length: {}\r\n\r\n", body.len()).expect("sends");
    let mut answer = BufReader::new(slow.try_clone().expect("a connection"));
    let mut line = String::new();
    answer.read_line(&mut line).expect("a line");
    assert!(line.contains("100 Continue"), "{line}");
    let (first, rest) = body.split_at(20);
    slow.write_all(first.as_bytes()).expect("sends");
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill runs").success());
    // Longer than the server waits for idle connections.
    std::thread::sleep(Duration::from_secs(8));
    slow.write_all(rest.as_bytes()).expect("it is still there");
    let mut output = String::new();
    answer.read_to_string(&mut output).expect("an answer");
    assert!(output.contains("HTTP/1.1 401"), "{output}");
    assert!(child.wait().expect("ends").success());
}

#[test]
#[cfg(unix)]
fn raises_open_file_limit_for_idle_clients() {
    on_each_engine(async |engine| {
        let cluster = Cluster::new(engine, Fixtures::default()).await;
        let node = cluster.node().open_files(128).start();
        let _silent: Vec<TcpStream> = (0..200).map(|_| connection(&node.base)).collect();
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().expect("client");
        let answer = http.get(format!("{}/api/sdk/health", node.base)).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    });
}
