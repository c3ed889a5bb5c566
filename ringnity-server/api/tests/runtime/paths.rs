//! Paths and methods: literals before variables, 405 with `Allow`, preflights.

use crate::app::{Answer, Server};

#[tokio::test]
async fn a_literal_segment_comes_before_a_variable() {
    let server = Server::start();
    assert_eq!(Answer::of(server.user("GET", "/api/notes/recent")).await.said(), "literal");
    assert_eq!(Answer::of(server.user("GET", "/api/notes/recen%74")).await.said(), "literal");
    assert_eq!(Answer::of(server.user("GET", "/api/notes/other")).await.said(), "got");
    assert_eq!(Answer::of(server.user("GET", "/api/notes/import")).await.fault().0, 405);
    assert_eq!(Answer::of(server.user("POST", "/api/notes/recent/pin")).await.json()["data"]["id"], "recent");
}

#[tokio::test]
async fn a_method_that_a_path_lacks_is_405_with_those_it_has() {
    let server = Server::start();
    for (method, path, allow) in [
        ("PUT", "/api/notes", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/api/notes/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("PUT", "/api/notes/1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("DELETE", "/api/notes/recent", "GET, HEAD, OPTIONS"),
        ("POST", "/api/notes/recent", "GET, HEAD, OPTIONS"),
        ("GET", "/api/notes/import", "OPTIONS, POST"),
        ("GET", "/api/notes/1/pin", "OPTIONS, POST"),
        ("POST", "/api/panic", "GET, HEAD, OPTIONS"),
        ("TRACE", "/api/panic", "GET, HEAD, OPTIONS"),
    ] {
        let answer = Answer::of(server.request(method, path)).await;
        assert_eq!(answer.fault(), (405, "METHOD".into(), vec![]), "{method} {path}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    let head = Answer::of(server.request("HEAD", "/api/notes/import")).await;
    assert_eq!((head.status, head.header("allow"), head.text.as_str()), (405, "OPTIONS, POST", ""));
}

#[tokio::test]
async fn head_is_answered_like_get_without_a_body() {
    let server = Server::start();
    // The second path is a literal where another path has a variable.
    for path in ["/api/notes/1", "/api/notes/recent"] {
        let get = Answer::of(server.user("GET", path)).await;
        let head = Answer::of(server.user("HEAD", path)).await;
        assert_eq!((get.status, head.status, head.text.as_str()), (200, 200, ""), "{path}");
        assert_eq!(head.header("content-length"), get.text.len().to_string(), "{path}");
    }
    assert_eq!(Answer::of(server.request("HEAD", "/api/notes/1")).await.status, 401);
}

#[tokio::test]
async fn options_tells_the_methods_without_a_credential() {
    let server = Server::start();
    let answer = Answer::of(server.request("OPTIONS", "/api/notes/1")).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(answer.header("allow"), "DELETE, GET, HEAD, OPTIONS, PATCH");
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn a_preflight_is_granted_to_allowed_origins_only() {
    let server = Server::start();
    let ask = |origin: &'static str| {
        let request = server.request("OPTIONS", "/api/notes").header("origin", origin);
        Answer::of(request.header("access-control-request-method", "POST"))
    };
    let answer = ask("https://friend.example").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://friend.example");
    assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(
        answer.header("access-control-allow-headers"),
        "Authorization, Content-Type, X-Trace, X-User-Key"
    );
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(ask("https://family.example").await.header("access-control-allow-credentials"), "true");
    let answer = ask("https://stranger.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, ""));
    assert_eq!(answer.header("access-control-allow-methods"), "");
}

#[tokio::test]
async fn answers_and_faults_may_be_read_by_allowed_origins() {
    let server = Server::start();
    for (path, status) in [("/api/notes", 401), ("/api/go", 302), ("/api/panic", 500)] {
        let answer = Answer::of(server.request("GET", path).header("origin", "https://friend.example")).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), "https://friend.example", "{path}");
        assert!(answer.header("access-control-expose-headers").contains("X-Request-Id"));
        let answer =
            Answer::of(server.request("GET", path).header("origin", "https://stranger.example")).await;
        assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), ("", "Origin"));
    }
}

#[tokio::test]
async fn pages_may_read_the_headers_that_are_documented_and_those_that_are_sent_anyway() {
    let server = Server::start();
    for path in ["/api/export", "/api/notes"] {
        let answer = Answer::of(server.request("GET", path).header("origin", "https://friend.example")).await;
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "Allow, Content-Disposition, Location, WWW-Authenticate, X-Request-Id, X-Total"
        );
    }
}

#[tokio::test]
async fn a_path_that_is_not_there_is_404() {
    let server = Server::start();
    assert_eq!(Answer::of(server.request("GET", "/api/nothing")).await.status, 404);
}
