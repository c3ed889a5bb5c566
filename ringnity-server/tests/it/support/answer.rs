//! Requests, and answers that are checked before a test sees them.

//! Requests, and answers that are checked before a test sees them.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;

/// A request under construction.
pub struct Request(pub(super) RequestBuilder);

impl Request {
    pub fn bearer(self, token: &str) -> Self {
        Self(self.0.bearer_auth(token))
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self(self.0.header(name, value))
    }

    pub fn json(self, body: &Value) -> Self {
        Self(self.0.json(body))
    }

    pub fn text(self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self(self.0.header("content-type", content_type).body(body))
    }

    /// Sends it. Every answer has a request id, every error has the envelope of the contract, and a 500 is a bug.
    pub async fn send(self) -> Answer {
        let response = self.0.send().await.expect("an answer");
        let status = response.status();
        let headers = response.headers().clone();
        let text = response.text().await.expect("a body");
        let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "a 500 is a bug: {text}");
        assert!(headers.contains_key("x-request-id"), "no request id: {status} {text}");
        if status.is_client_error() || status.is_server_error() {
            assert_eq!(json["success"], false, "no envelope: {status} {text}");
            assert!(json["code"].as_str().is_some_and(|code| !code.is_empty()), "no code: {text}");
            assert!(json["message"].as_str().is_some_and(|message| message.len() > 10), "no message: {text}");
            let type_ = headers.get("content-type").and_then(|value| value.to_str().ok());
            assert_eq!(type_, Some("application/json"), "{text}");
        }
        Answer { status, headers, json, text }
    }
}

/// An answer that passed the checks of `send`.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Answer {
    #[track_caller]
    pub fn status(self, expected: StatusCode) -> Self {
        assert_eq!(self.status, expected, "{}", self.text);
        self
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.status(StatusCode::OK)
    }

    /// Asserts a refusal with this status and code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.json["code"].as_str()), (status, Some(code)), "{}", self.text);
        self
    }

    /// The lines of `details`.
    pub fn details(&self) -> Vec<&str> {
        self.json["details"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Asserts that some detail begins with `pointer`.
    #[track_caller]
    pub fn names(self, pointer: &str) -> Self {
        assert!(
            self.details().iter().any(|line| line.starts_with(pointer)),
            "no detail at {pointer}: {}",
            self.text
        );
        self
    }

    pub fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
