//! What a request must be, and the words when it is not.

use reqwest::header::HeaderValue;
use reqwest::multipart::{Form, Part};

use crate::app::{Answer, Server};
use crate::generated::names::parameters::TRACE_HEADER;

#[tokio::test]
async fn a_valid_body_reaches_the_handler_and_unknown_members_do_no_harm() {
    let server = Server::start();
    let answer = server.post(r#"{"text":"hello","kind":"long","rank":3.0,"extra":{"a":[1]}}"#).await;
    assert_eq!((answer.status, answer.said().as_str()), (201, "hello"));
    assert_eq!(answer.json()["kind"], "long");
    let request =
        server.user("POST", "/api/notes").header("content-type", "Application/vnd.x+json; charset=UTF-8");
    assert_eq!(Answer::of(request.body(r#"{"text":"suffix"}"#)).await.said(), "suffix");
}

#[tokio::test]
async fn every_broken_rule_of_a_body_is_a_line_with_its_pointer() {
    let server = Server::start();
    let answer = server
        .post(
            r#"{"kind":"huge","rank":11,"secret":"hunter2","mail":"nope","labels":["a","a","b","c"],"by":{"x":1}}"#,
        )
        .await;
    let mut lines = answer.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "/body/by: fits none of the forms it may have (/body/by/name: is required; or /body/by/id: is required)",
            "/body/kind: must be one of short, long",
            "/body/labels: must have at most 3 items",
            "/body/labels: must not hold the same item twice",
            "/body/mail: is not a valid email",
            "/body/rank: must be at most 10",
            "/body/secret: must have at least 12 characters",
            "/body/text: is required",
        ]
    );
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    assert_eq!(server.post(r#"{"text":7}"#).await.lines(), ["/body/text: must be a string"]);
    assert_eq!(server.post(r#"{"text":""}"#).await.lines(), ["/body/text: must not be empty"]);
    assert_eq!(
        server.post(r#"{"text":"a","mail":7}"#).await.lines(),
        ["/body/mail: must be null or a string"]
    );
    assert_eq!(server.post("[]").await.lines(), ["/body: must be an object"]);
    assert_eq!(server.post("null").await.lines(), ["/body: must be an object"]);
}

#[tokio::test]
async fn json_that_hides_something_is_refused() {
    let server = Server::start();
    assert_eq!(
        server.post("{\"text\":").await.lines(),
        ["/body: is not valid JSON: EOF while parsing a value at line 1 column 8"]
    );
    assert_eq!(
        server.post(r#"{"text":"a","text":"b"}"#).await.lines(),
        ["/body/text: is there more than once"]
    );
    assert_eq!(server.post(r#"{"text":"a\u0000b"}"#).await.lines(), ["/body/text: holds a NUL character"]);
    assert_eq!(server.post(&b"{\"text\":\"\xff\"}"[..]).await.lines(), ["/body: is not UTF-8"]);
    let deep = format!(r#"{{"text":"a","x":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    assert!(server.post(deep).await.lines()[0].ends_with("is nested too deeply; 64 levels are read"));
    let bottomless = "[".repeat(200_000);
    assert!(server.post(bottomless).await.lines()[0].ends_with("is nested too deeply; 64 levels are read"));
    assert_eq!(
        server.post(r#"{"text":"a","rank":99999999999999999999}"#).await.lines(),
        ["/body/rank: must be at most 10"]
    );
    let line = &server.post(r#"{"text":"a","rank":1e999}"#).await.lines()[0];
    assert!(line.contains("number out of range"), "{line}");
}

#[tokio::test]
async fn a_body_is_required_unless_it_is_optional() {
    let server = Server::start();
    assert_eq!(Answer::of(server.user("POST", "/api/notes")).await.lines(), ["/body: is required"]);
    assert_eq!(server.post("").await.lines(), ["/body: is required"]);
    assert_eq!(Answer::of(server.user("PATCH", "/api/notes/1")).await.said(), "None");
    let empty = server.user("PATCH", "/api/notes/1").header("content-type", "application/json").body("");
    assert_eq!(Answer::of(empty).await.said(), "None");
    let some = server.user("PATCH", "/api/notes/1").header("content-type", "application/json").body("{}");
    assert_eq!(Answer::of(some).await.said(), "Some(NotePatch { text: None })");
}

#[tokio::test]
async fn another_kind_of_body_is_not_read() {
    let server = Server::start();
    for content_type in ["text/plain", "application/xml", "application/json; charset=latin1", ""] {
        let mut request = server.user("POST", "/api/notes").body(r#"{"text":"a"}"#);
        if !content_type.is_empty() {
            request = request.header("content-type", content_type);
        }
        let (status, code, details) = Answer::of(request).await.fault();
        assert_eq!((status, code.as_str()), (415, "MEDIA_TYPE"), "{content_type} {details:?}");
    }
    let zipped = server.user("POST", "/api/notes").header("content-type", "application/json");
    let zipped = zipped.header("content-encoding", "gzip").body("{}");
    assert_eq!(Answer::of(zipped).await.fault().0, 415);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_with_and_without_a_declared_length() {
    let server = Server::start();
    let huge = format!(r#"{{"text":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
    let (status, code, details) = server.post(huge.clone()).await.fault();
    assert_eq!((status, code.as_str()), (413, "TOO_LARGE"));
    assert_eq!(details, ["/body: must have at most 1048576 bytes"]);
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
        huge.as_bytes().chunks(64 * 1024).map(|chunk| Ok(chunk.to_vec())).collect();
    let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    assert_eq!(server.post(stream).await.fault().0, 413);
}

#[tokio::test]
async fn parameters_have_types_limits_and_defaults() {
    let server = Server::start();
    let said = Answer::of(server.user("GET", "/api/notes")).await.said();
    assert!(said.contains("page: 1, limit: 50, label: None, kind: None"), "{said}");
    let query = "?page=2&limit=100&label=a&label=b%20c&kind=long&since=2026-01-02T03:04:05Z&exact=true&weight=0.5&search=x+y&unknown=1&unknown=2";
    let request = server
        .user("GET", &format!("/api/notes{query}"))
        .header(TRACE_HEADER, "t1")
        .header("cookie", "a=1; theme=dark");
    let said = Answer::of(request).await.said();
    assert_eq!(
        said,
        "ListNotesInput { page: 2, limit: 100, label: Some([\"a\", \"b c\"]), kind: Some(Long), \
         since: Some(2026-01-02T03:04:05Z), exact: Some(true), weight: Some(0.5), search: Some(\"x y\"), \
         x_trace: Some(\"t1\"), theme: Some(\"dark\") }"
    );
    let said = Answer::of(server.user("GET", "/api/notes?search=")).await.said();
    assert!(said.contains("search: Some(\"\")"), "an empty text is a text: {said}");
}

#[tokio::test]
async fn what_stands_in_the_cookies_of_others_is_their_own() {
    let server = Server::start();
    let cookies = HeaderValue::from_bytes(b"other=\xff; themes=none; theme=dark").expect("may be sent");
    let said = Answer::of(server.user("GET", "/api/notes").header("cookie", cookies)).await.said();
    assert!(said.contains("theme: Some(\"dark\")"), "{said}");
    let broken = HeaderValue::from_bytes(b"theme=\xff").expect("may be sent");
    let answer = Answer::of(server.user("GET", "/api/notes").header("cookie", broken)).await;
    assert_eq!(answer.lines(), ["/cookie/theme: holds a character that is not UTF-8, or NUL"]);
}

#[tokio::test]
async fn a_parameter_that_is_not_what_it_should_be_is_a_line() {
    let server = Server::start();
    for (query, line) in [
        ("page=0", "/query/page: must be at least 1"),
        ("limit=101", "/query/limit: must be at most 100"),
        ("page=one", "/query/page: must be an integer"),
        ("page=1.5", "/query/page: must be an integer"),
        ("page=", "/query/page: must be an integer"),
        ("page=99999999999999999999", "/query/page: must be an integer"),
        ("page=1&page=2", "/query/page: is sent more than once"),
        ("kind=", "/query/kind: must be one of short, long"),
        ("kind=huge", "/query/kind: must be one of short, long"),
        ("since=yesterday", "/query/since: is not a valid date-time"),
        ("exact=yes", "/query/exact: must be true or false"),
        ("weight=0", "/query/weight: must be more than 0"),
        ("weight=NaN", "/query/weight: must be a number"),
        ("label=aaaaaaaaaaa", "/query/label/0: must have at most 10 characters"),
        ("label=1&label=2&label=3&label=4", "/query/label: must have at most 3 items"),
        ("search=%00", "/query/search: holds a character that is not UTF-8, or NUL"),
        ("search=%ff", "/query/search: holds a character that is not UTF-8, or NUL"),
    ] {
        let lines = Answer::of(server.user("GET", &format!("/api/notes?{query}"))).await.lines();
        assert_eq!(lines, [line], "{query}");
    }
    let traced = server.user("GET", "/api/notes").header("x-trace", "far too long");
    assert_eq!(Answer::of(traced).await.lines(), ["/header/X-Trace: must have at most 8 characters"]);
    let long = server.user("GET", &format!("/api/notes/{}", "x".repeat(41)));
    assert_eq!(Answer::of(long).await.lines(), ["/path/id: must have at most 40 characters"]);
    assert_eq!(
        Answer::of(server.user("GET", "/api/notes/a%00b")).await.lines(),
        ["/path/id: holds a character that is not UTF-8, or NUL"]
    );
}

#[tokio::test]
async fn a_path_variable_arrives_decoded() {
    let server = Server::start();
    let answer = Answer::of(server.user("GET", "/api/notes/a%2Fb%20c%C3%A9+d")).await;
    assert_eq!(answer.json()["id"], "a/b cé+d");
}

#[tokio::test]
async fn forms_are_typed_and_repeat_nothing() {
    let server = Server::start();
    let login = |body: &'static str| {
        let request =
            server.request("POST", "/api/login").header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(body))
    };
    assert_eq!(login("name=Ada+L&password=secret&age=36").await.said(), "Ada L Some(36)");
    assert_eq!(login("name=Ada&password=secret&age=").await.said(), "Ada None");
    for (body, line) in [
        ("name=a&name=b&password=secret", "/body/name: is sent more than once"),
        ("name=a&password=secret&age=x", "/body/age: must be an integer"),
        ("name=a", "/body/password: is required"),
        ("name=a&password=", "/body/password: is required"),
        ("name=a&password=abc", "/body/password: must have at least 4 characters"),
        ("name=%ff&password=abcd", "/body: holds a character that is not UTF-8, or NUL"),
    ] {
        let answer = login(body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_request".into()), "{body}");
        // This error body has no list of details: they stand in the sentence.
        assert!(
            answer.json()["error_description"].as_str().is_some_and(|text| text.contains(line)),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn multipart_forms_carry_files_and_fields() {
    let server = Server::start();
    let file = || Part::bytes(vec![7; 300_000]).file_name("a.bin").mime_str("image/png").expect("is a type");
    let send = |form: Form| Answer::of(server.user("POST", "/api/notes/import").multipart(form));
    let form =
        Form::new().part("file", file()).text("title", "A title").text("copies", "3").text("unknown", "x");
    assert_eq!(
        send(form).await.said(),
        "Some(\"a.bin\") Some(\"image/png\") 300000 bytes, title Some(\"A title\"), copies Some(3)"
    );
    assert_eq!(send(Form::new().text("title", "No file")).await.lines(), ["/body/file: is required"]);
    let form = Form::new().part("file", file()).text("title", "x").text("copies", "0");
    let mut lines = send(form).await.lines();
    lines.sort();
    assert_eq!(lines, ["/body/copies: must be at least 1", "/body/title: must have at least 2 characters"]);
    let form = Form::new().part("file", file()).part("file", file()).text("copies", "many");
    let lines = send(form).await.lines();
    assert_eq!(lines, ["/body/file: is sent more than once", "/body/copies: must be an integer"]);
    let broken =
        server.user("POST", "/api/notes/import").header("content-type", "multipart/form-data; boundary=b");
    assert_eq!(
        Answer::of(broken.body("--b\r\nnot a form")).await.lines(),
        ["/body: is not a complete multipart form"]
    );
    let nameless = server.user("POST", "/api/notes/import").header("content-type", "multipart/form-data");
    assert_eq!(
        Answer::of(nameless.body("x")).await.lines(),
        ["/header/content-type: a multipart form needs a boundary"]
    );
}

#[tokio::test]
async fn text_and_bytes_are_bodies_too() {
    let server = Server::start();
    let call = server.request("POST", "/api/call").header("content-type", "application/sdp").body("v=0");
    let answer = Answer::of(call).await;
    assert_eq!((answer.text.as_str(), answer.header("content-type")), ("answer to v=0", "application/sdp"));
    let blob = server.request("PUT", "/api/blob").header("content-type", "application/octet-stream");
    assert_eq!(Answer::of(blob.body(vec![0_u8, 255, 0])).await.said(), "3 bytes");
}

/// What the server answers to bytes that no client library would send.
async fn raw(server: &Server, request: Vec<u8>, hang_up: bool) -> String {
    use std::io::{Read as _, Write as _};
    let address = server.http.local_addr();
    let talk = move || {
        let mut socket = std::net::TcpStream::connect(address).expect("connects");
        socket.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("is set");
        socket.write_all(&request).expect("is sent");
        if hang_up {
            socket.shutdown(std::net::Shutdown::Write).ok();
        }
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::task::spawn_blocking(talk).await.expect("does not panic")
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_hears_no_without_sending() {
    let server = Server::start();
    let head = "POST /api/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\
                Connection: close\r\nExpect: 100-continue\r\n\r\n";
    let answer = raw(&server, head.into(), false).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_ends_before_its_time_harms_nobody() {
    let server = Server::start();
    let head = "POST /api/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user:all\r\n\
                Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"text\":";
    let answer = raw(&server, head.into(), true).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(server.post(r#"{"text":"still here"}"#).await.said(), "still here");
}

#[tokio::test]
async fn a_body_that_is_not_wanted_is_not_read() {
    let server = Server::start();
    let mut request = b"GET /api/notes/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user:all\r\n\
                        Connection: close\r\nContent-Length: 5\r\n\r\n"
        .to_vec();
    request.extend_from_slice(b"\xff\0{{{");
    let answer = raw(&server, request, false).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Takes as long as the server's patience: half a minute of waiting, and of nothing else.
#[tokio::test]
async fn a_body_that_drips_is_late() {
    use std::io::{Read as _, Write as _};
    use std::time::{Duration, Instant};
    let server = Server::start();
    let address = server.http.local_addr();
    let drip = move || {
        let mut socket = std::net::TcpStream::connect(address).expect("connects");
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("is set");
        let head = "POST /api/notes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user:all\r\n\
                    Content-Type: application/json\r\nContent-Length: 900\r\nConnection: close\r\n\r\n";
        socket.write_all(head.as_bytes()).expect("is sent");
        let begun = Instant::now();
        let mut answer = [0; 4096];
        while begun.elapsed() < Duration::from_secs(60) {
            socket.write_all(b" ").ok();
            match socket.read(&mut answer) {
                Ok(length) => return String::from_utf8_lossy(&answer[..length]).into_owned(),
                Err(_) => continue,
            }
        }
        "the server still waits".to_owned()
    };
    let answer = tokio::task::spawn_blocking(drip).await.expect("does not panic");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn every_refusal_says_what_to_do() {
    let server = Server::start();
    let post = |content_type: &'static str| {
        server.user("POST", "/api/notes").header("content-type", content_type).body("{}")
    };
    let who = |session: &'static str| server.request("GET", "/api/who").header("x-session", session);
    let notes = |key: &'static str| server.request("GET", "/api/notes").bearer_auth(key);
    let huge = vec![b'x'; 2 * 1024 * 1024];
    for (request, status, words) in [
        (server.request("GET", "/api/notes"), 401, "send it as Authorization: Bearer or X-User-Key."),
        (notes("user:wrong"), 401, "Check that it is complete and not revoked, or get a new one."),
        (who("staff:late"), 401, "Get a new one and send the request again."),
        (who("staff:who"), 401, "Send one of the kinds that this operation documents."),
        (notes("user:none"), 403, "Send one that has it."),
        (who("staff:eve"), 403, "Ask somebody who has it."),
        (server.request("PUT", "/api/notes"), 405, "Send one that it has: GET, HEAD, OPTIONS, POST."),
        (post("text/plain"), 415, "Send one that `details` lists."),
        (post("application/json; charset=latin1"), 415, "Leave `charset` out or set it to utf-8."),
        (
            post("application/json").header("content-encoding", "gzip"),
            415,
            "Send the body without Content-Encoding.",
        ),
        (post("application/json"), 400, "Fix the fields listed in `details` and retry."),
        (post("application/json").body(huge), 413, "Send no more than `details` says."),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.fault().0, status, "{answer:?}");
        let message = answer.json()["message"].as_str().expect("is text").to_owned();
        assert!(message.ends_with(words), "{message}");
    }
}
