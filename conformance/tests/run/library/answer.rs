//! Responses and faults before serialization, and the seeds that corrupt a correct response.

use bytes::Bytes;
use hyper::Response;
use serde_json::{Value, json};

use super::Seed;

/// A response before serialization.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub media: &'static str,
    pub content: Content,
}

/// The body of a response.
#[derive(Debug, Clone)]
pub enum Content {
    Nothing,
    Json(Value),
    Text(String),
}

/// A rejection.
#[derive(Debug)]
pub struct Fault {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    pub details: Vec<String>,
}

impl Fault {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new() }
    }

    pub fn invalid(details: Vec<String>) -> Self {
        Self {
            details,
            ..Self::new(400, "REQUEST_INVALID", "The request is not what the contract asks for.")
        }
    }

    pub fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "There is no such thing in this town.")
    }

    /// A response of a crashed server.
    pub fn crash() -> Self {
        Self::new(500, "INTERNAL_ERROR", "Something went wrong.")
    }
}

impl Answer {
    pub fn json(status: u16, value: Value) -> Self {
        Self { status, headers: Vec::new(), media: "application/json", content: Content::Json(value) }
    }

    pub fn text(media: &'static str, text: String) -> Self {
        Self { status: 200, headers: Vec::new(), media, content: Content::Text(text) }
    }

    pub fn nothing(status: u16) -> Self {
        Self { status, headers: Vec::new(), media: "", content: Content::Nothing }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn without(&mut self, name: &str) {
        self.headers.retain(|(other, _)| *other != name);
    }

    /// Serializes the response.
    pub fn render(self) -> Response<Bytes> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        if !self.media.is_empty() {
            response = response.header("Content-Type", self.media);
        }
        let bytes = match self.content {
            Content::Nothing => Bytes::new(),
            Content::Json(value) => value.to_string().into(),
            Content::Text(text) => text.into(),
        };
        response.body(bytes).expect("the headers are plain text")
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Self {
        let mut body = json!({ "code": fault.code, "message": fault.message });
        if !fault.details.is_empty() {
            body["details"] = json!(fault.details);
        }
        let answer = Self::json(fault.status, body);
        match fault.status {
            401 => answer.header("WWW-Authenticate", "Bearer"),
            429 => answer.header("Retry-After", "3600"),
            _ => answer,
        }
    }
}

/// Corrupts a response of `operation` as `seed` demands. The operation is empty for unknown paths and methods.
pub fn spoil(seed: Seed, operation: &str, answer: &mut Answer) {
    let status = answer.status;
    match (seed, operation, status) {
        (Seed::CreatedAsOk, "createLoan", 201) => answer.status = 200,
        (Seed::StatusUndocumented, "returnLoan", 200) => answer.status = 202,
        (Seed::MediaTypeOther, "getBook", 200) => answer.media = "text/plain",
        (Seed::BodyEmpty, "getBook", 200) => answer.content = Content::Nothing,
        (Seed::NotFoundAsPage, "getBook", 404) => {
            *answer = Answer::text("text/html", "<!doctype html><title>404</title><h1>Not Found</h1>".into());
            answer.status = 404;
        }
        (Seed::MethodBodyEmpty, _, 405) => {
            (answer.media, answer.content) = ("", Content::Nothing);
        }
        (Seed::LocationMissing, "createBook", _) => answer.without("Location"),
        (Seed::CacheControlMissing, "loginOwner", _) => answer.without("Cache-Control"),
        (Seed::CacheControlOther, "loginOwner", 200) => {
            answer.without("Cache-Control");
            answer.headers.push(("Cache-Control", "max-age=60".into()));
        }
        (Seed::ChallengeMissing, _, 401) => answer.without("WWW-Authenticate"),
        (Seed::AgainMissing, _, 429) => answer.without("Retry-After"),
        (Seed::AllowMissing, _, 405) => answer.without("Allow"),
        (Seed::AllowTooMuch, _, 405) => {
            answer.without("Allow");
            answer.headers.push(("Allow", "GET, POST, PUT, PATCH, DELETE".into()));
        }
        (Seed::BodyBroken, "listLoans", 200) => {
            if let Content::Json(value) = &answer.content {
                let mut text = value.to_string();
                text.pop();
                answer.content = Content::Text(text);
            }
        }
        _ => {
            if let Content::Json(value) = &mut answer.content {
                spoil_value(seed, operation, status, value);
            }
        }
    }
}

fn spoil_value(seed: Seed, operation: &str, status: u16, value: &mut Value) {
    let (name, other) = match (seed, operation, status) {
        (Seed::TypeWrong, "getBook", 200) => ("year", json!(value["year"].to_string())),
        (Seed::NullGiven, "getBook", 200) => ("genre", Value::Null),
        (Seed::EnumUnknown, "getLoan", 200) => ("state", json!("lent")),
        (Seed::MemberExtra, "getLoan", 200) => ("shelf", json!("A3")),
        (Seed::NumberTooSmall, "updateBook", 200) => ("copies", json!(0)),
        (Seed::TextTooLong, "createBook", 201) => ("title", json!("long ".repeat(30))),
        (Seed::MomentBroken, "getLoan", 200) => ("createdAt", json!("yesterday at noon")),
        (Seed::ConstantOther, "getHealth", 200) => ("status", json!("fine")),
        (Seed::HashShown, "getOwner", 200) => ("passwordHash", json!(HASH)),
        (Seed::TotalWrong, "listBooks", 200) => {
            ("total", json!(value["total"].as_u64().map_or(1, |total| total + 1)))
        }
        (Seed::HasMoreWrong, "listBooks", 200) => ("hasMore", json!(true)),
        (Seed::InvalidCodeOther, "createBook", 400) => ("code", json!("NOT_FOUND")),
        (Seed::DeniedCodeOther, _, 403) => ("code", json!("KEY_INVALID")),
        (Seed::LimitCodeOther, _, 429) => ("code", json!("NOT_FOUND")),
        (Seed::MethodCodeOther, _, 405) => ("code", json!("NOT_FOUND")),
        (Seed::CodeUnknown, "getLoan", 404) => ("code", json!("LOAN_UNKNOWN")),
        (Seed::MemberMissing, "getBook", 200) => return remove(value, "status"),
        (Seed::MessageMissing, "getLoan", 404) => return remove(value, "message"),
        _ => return,
    };
    value[name] = other;
}

fn remove(value: &mut Value, name: &str) {
    if let Some(object) = value.as_object_mut() {
        object.shift_remove(name);
    }
}

/// A hash in the format of argon2.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$3Kz0mZ1m0dZ0b8vJ7bQ0p0Jw4t5n6y7u8i9o0p1a2s3";
