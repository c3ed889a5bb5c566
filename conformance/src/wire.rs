//! HTTP requests and responses, the client that sends them, and the `curl` command that reproduces a request.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// An HTTP request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method in capitals: `POST`.
    pub method: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Bytes>,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of that name; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The `curl` command that sends this request. Secrets in `masks` are replaced by shell variables.
    pub fn curl(&self, base: &str, masks: &Masks) -> String {
        let mut line = "curl -i".to_owned();
        if self.method != "GET" {
            let _ = write!(line, " -X {}", self.method);
        }
        let _ = write!(line, " {}", masks.quote(&format!("{base}{}", self.target)));
        for (name, value) in &self.headers {
            let _ = write!(line, " -H {}", masks.quote(&format!("{name}: {value}")));
        }
        if let Some(body) = &self.body {
            if self.header("content-type").is_none() {
                // Otherwise curl sends `application/x-www-form-urlencoded`.
                line.push_str(" -H 'Content-Type:'");
            }
            match std::str::from_utf8(body) {
                Ok(text) if text.len() <= 4096 && !text.contains('\0') => {
                    let _ = write!(line, " --data-binary {}", masks.quote(text));
                }
                Ok(text) if !text.contains('\0') => {
                    let cut: String = text.chars().take(200).collect();
                    let _ = write!(
                        line,
                        " --data-binary {} # truncated: {} bytes",
                        masks.quote(&cut),
                        body.len()
                    );
                }
                _ => {
                    let hex: String = body.iter().take(200).fold(String::new(), |mut hex, byte| {
                        let _ = write!(hex, "\\x{byte:02x}");
                        hex
                    });
                    let _ = write!(line, " --data-binary \"$(printf '{hex}')\"");
                }
            }
        }
        line
    }
}

/// Secrets that are replaced by shell variables in `curl` commands and messages.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    /// Variable and secret, longest secret first.
    known: Vec<(String, String)>,
    /// Whether secrets are shown instead.
    pub show_secrets: bool,
}

impl Masks {
    /// Adds a secret. The variable is made from `name`. Values shorter than six bytes are ignored.
    pub fn add(&mut self, name: &str, value: &str) {
        if value.len() < 6 || self.known.iter().any(|(_, known)| known == value) {
            return;
        }
        let plain =
            |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
        let mut variable: String = name.chars().map(plain).collect();
        while self.known.iter().any(|(known, _)| *known == variable) {
            variable.push('_');
        }
        self.known.push((variable, value.to_owned()));
        // A secret may contain another one, so the longer one is replaced first.
        self.known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    }

    /// Returns `text` with every secret replaced by its variable.
    pub fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if !self.show_secrets {
            for (variable, value) in &self.known {
                text = text.replace(value, &format!("${variable}"));
            }
        }
        text
    }

    /// Returns the variables that `line` uses.
    pub fn used<'m>(&'m self, line: &'m str) -> impl Iterator<Item = &'m str> {
        self.known
            .iter()
            .map(|(variable, _)| variable.as_str())
            .filter(move |variable| line.contains(&format!("\"${variable}\"")))
    }

    fn quote(&self, text: &str) -> String {
        let mut text = text.replace('\'', r"'\''");
        if !self.show_secrets {
            for (variable, value) in &self.known {
                text = text.replace(value, &format!("'\"${variable}\"'"));
            }
        }
        format!("'{text}'")
    }
}

/// An HTTP response with its whole body.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The first header of that name; `None` when it is missing or not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type without parameters, in lower case; empty when there is none.
    pub fn media_type(&self) -> String {
        essence(self.header("content-type").unwrap_or_default())
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.status / 100 == 2
    }

    /// Parses the body as JSON.
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A short summary: status, media type and the beginning of the body.
    pub fn summary(&self) -> String {
        let body = truncate(&String::from_utf8_lossy(&self.body), 300);
        format!("{} {} {body}", self.status, self.media_type()).trim_end().to_owned()
    }
}

/// Returns a media type without parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether a media type is JSON.
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// Truncates a text to `most` characters and appends its length in bytes.
pub fn truncate(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Why a request got no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// No response within the timeout.
    Timeout,
    /// The connection failed or was closed early.
    Connection(String),
    /// No client can send the request, for example because a header contains a line break.
    InvalidRequest(String),
}

/// An HTTP client for one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    /// The base URL without a trailing slash.
    pub base: String,
    sent: AtomicUsize,
}

impl Client {
    /// Creates a client for the server at `base`. `timeout` covers a whole response.
    pub fn new(base: &str, timeout: Duration) -> Result<Self> {
        // The server's own responses are checked, so redirects are not followed.
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout);
        if base.starts_with("http://") {
            // Loading the system's root certificates takes longer than many runs.
            http = http.tls_certs_only([]);
        }
        let http = http.build().context("cannot create the HTTP client")?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), sent: AtomicUsize::new(0) })
    }

    /// The number of requests sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Sends a request and reads the whole response.
    pub async fn send(&self, request: &Request) -> Result<Response, SendError> {
        let invalid = |problem: &dyn std::fmt::Display| SendError::InvalidRequest(problem.to_string());
        let method = Method::from_bytes(request.method.as_bytes()).map_err(|e| invalid(&e))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| invalid(&e))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|e| invalid(&e))?);
        }
        let mut builder =
            self.http.request(method, format!("{}{}", self.base, request.target)).headers(headers);
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let sent = builder.build().map_err(|e| invalid(&e))?;
        self.sent.fetch_add(1, Ordering::Relaxed);
        let failed = |error: reqwest::Error| {
            if error.is_timeout() { SendError::Timeout } else { SendError::Connection(error_chain(&error)) }
        };
        let response = self.http.execute(sent).await.map_err(failed)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.map_err(failed)?;
        Ok(Response { status, headers, body })
    }
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curl_command_is_quoted_and_masks_secrets() {
        let mut masks = Masks::default();
        masks.add("owner.password", "hunter2!");
        let request = Request {
            method: "POST".to_owned(),
            target: "/login?x=1".to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Some(Bytes::from_static(b"{\"name\":\"it's\",\"password\":\"hunter2!\"}")),
        };
        let line = request.curl("http://127.0.0.1:1", &masks);
        assert_eq!(
            line,
            "curl -i -X POST 'http://127.0.0.1:1/login?x=1' -H 'Content-Type: application/json' --data-binary \
             '{\"name\":\"it'\\''s\",\"password\":\"'\"$OWNER_PASSWORD\"'\"}'"
        );
        assert_eq!(masks.used(&line).collect::<Vec<_>>(), ["OWNER_PASSWORD"]);
        masks.show_secrets = true;
        assert!(request.curl("http://127.0.0.1:1", &masks).contains("hunter2!"));
    }

    #[test]
    fn curl_sends_no_content_type_if_there_is_none() {
        let request =
            Request { method: "POST".to_owned(), body: Some(Bytes::from_static(b"{")), ..Request::default() };
        assert!(request.curl("http://h", &Masks::default()).contains("-H 'Content-Type:'"));
    }
}
