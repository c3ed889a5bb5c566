//! Every operation of the contract answers, if only that it is not implemented yet.

use reqwest::{Method, StatusCode};
use ringnity_api::OPERATIONS;

use crate::support::{TestServer, on_each_engine};

#[test]
fn every_operation_exists_and_requires_its_credential() {
    on_each_engine(async |engine| {
        let server = TestServer::builder(engine).tenant("acme").start().await;
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.build().expect("client");
        let mut tried = 0;
        for operation in OPERATIONS {
            let path = operation
                .path
                .split('/')
                .map(|segment| if segment.starts_with('{') { "none" } else { segment })
                .collect::<Vec<_>>()
                .join("/");
            let method: Method = operation.method.parse().expect("method");
            let url = format!("{}{path}", server.base);
            let answer = http.request(method, url).send().await.expect("an answer");
            let (status, id) = (answer.status(), operation.id);
            let headers = answer.headers().clone();
            let text = answer.text().await.expect("a body");
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{id}: {text}");
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{id}");
            assert!(headers.contains_key("x-request-id"), "{id}");
            if !operation.accepts.is_empty() && !operation.anonymous {
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{id} needs no credential");
            }
            if status == StatusCode::NOT_IMPLEMENTED {
                let code = if text.contains("\"success\"") {
                    "FEATURE_NOT_AVAILABLE"
                } else {
                    "temporarily_unavailable"
                };
                assert!(text.contains(code), "{id}: {text}");
            }
            tried += 1;
        }
        assert!(tried >= 112, "{tried}");
    });
}
