//! Answers: bodies, headers, and the check that they keep the contract.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{Answer, Server};
use crate::runtime::ResponseCheck;

#[tokio::test]
async fn every_kind_of_answer_arrives() {
    let server = Server::start();
    let answer = Answer::of(server.user("DELETE", "/api/notes/1")).await;
    assert_eq!((answer.status, answer.text.as_str(), answer.header("content-type")), (204, "", ""));
    assert_eq!(
        Answer::of(server.user("DELETE", "/api/notes/missing")).await.fault(),
        (404, "NOTE_NOT_FOUND".into(), vec![])
    );
    let answer = Answer::of(server.request("GET", "/api/go")).await;
    assert_eq!((answer.status, answer.header("location")), (302, "https://elsewhere.example/?a=b"));
    let answer = Answer::of(server.request("GET", "/api/export")).await;
    assert_eq!((answer.header("content-type"), answer.text.as_str()), ("application/json", r#"{"data":[]}"#));
    let answer = Answer::of(server.request("GET", "/api/export?format=csv")).await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), r#"attachment; filename="notes1.csv""#);
    assert_eq!(answer.text, "id,text\n1,one\n");
}

#[tokio::test]
async fn a_handler_sets_headers_through_the_call() {
    let server = Server::start();
    let login =
        server.request("POST", "/api/login").header("content-type", "application/x-www-form-urlencoded");
    let answer = Answer::of(login.body("name=Ada&password=secret")).await;
    let cookies: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("is text")).collect();
    assert_eq!(cookies, ["a=1; HttpOnly", "b=2; HttpOnly"]);
    assert_eq!(answer.header("cache-control"), "private");
    let answer = Answer::of(server.request("GET", "/api/maybe")).await;
    assert_eq!(
        (answer.header("cache-control"), answer.header("x-content-type-options")),
        ("no-store", "nosniff")
    );
}

#[tokio::test]
async fn errors_have_the_form_that_their_operation_documents() {
    let server = Server::start();
    let login =
        server.request("POST", "/api/login").header("content-type", "application/x-www-form-urlencoded");
    let answer = Answer::of(login.body("name=nobody&password=secret")).await;
    assert_eq!(answer.text, r#"{"error":"invalid_client","error_description":"Wrong name or password."}"#);
}

#[tokio::test]
async fn a_panic_is_a_500_without_its_words_and_the_server_goes_on() {
    let server = Server::start();
    let answer = Answer::of(server.request("GET", "/api/panic")).await;
    assert_eq!(answer.fault(), (500, "INTERNAL".into(), vec![]));
    assert!(!answer.text.contains("handler"), "{}", answer.text);
    assert_eq!(Answer::of(server.request("GET", "/api/maybe")).await.said(), "nobody");
    let answer = Answer::of(server.request("GET", "/api/broken?how=internal")).await;
    assert_eq!(answer.fault(), (500, "INTERNAL".into(), vec![]));
    assert!(!answer.text.contains("secret reason"));
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_fails_where_that_is_fatal() {
    let server = Server::start();
    let (status, code, details) = Answer::of(server.request("GET", "/api/broken")).await.fault();
    assert_eq!((status, code.as_str()), (500, "INTERNAL"));
    assert_eq!(details, ["response 200/body/text: must have at most 400 characters"]);
    assert_eq!(Answer::of(server.request("GET", "/api/broken?how=status")).await.status, 418);
}

#[tokio::test]
async fn an_answer_that_breaks_the_contract_is_sent_and_told_where_it_is_reported() {
    let server = Server::checking(ResponseCheck::Report);
    let answer = Answer::of(server.request("GET", "/api/broken")).await;
    assert_eq!((answer.status, answer.said().len()), (200, 500));
    let log = server.http.app_private().log.lock().expect("is not poisoned").clone();
    assert_eq!(
        log,
        ["breakContract is invalid: /body/text: must have at most 400 characters", "breakContract 200"]
    );
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own_whatever_the_client_says() {
    let server = Server::start();
    let ask = || Answer::of(server.request("GET", "/api/maybe").header("x-request-id", "mine"));
    let (one, two) = (ask().await, ask().await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
    assert_ne!(one.header("x-request-id"), "mine");
    for path in ["/api/nothing", "/api/panic", "/api/notes"] {
        assert!(Answer::of(server.request("GET", path)).await.header("x-request-id").len() > 16);
    }
}

#[tokio::test]
async fn a_request_lives_until_its_answer_was_streamed_or_nobody_listens_any_more() {
    let server = Server::start();
    let alive = || Arc::strong_count(&server.http.app_private().alive) - 1;
    let all_gone = async || {
        while alive() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let export = || server.request("GET", "/api/export?format=csv");
    let mut response = export().header("x-endless", "1").send().await.expect("is answered");
    assert_eq!(response.chunk().await.expect("comes").as_deref(), Some(b"id,text\n".as_slice()));
    assert_eq!(alive(), 1);
    drop(response);
    tokio::time::timeout(Duration::from_secs(20), all_gone()).await.expect("nobody listens");
    assert_eq!(Answer::of(export()).await.status, 200);
    tokio::time::timeout(Duration::from_secs(20), all_gone()).await.expect("all was sent");
}
