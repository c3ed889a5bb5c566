//! Reading request bodies: never more than the limit, never longer than the patience, and what is not JSON.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fault::{Fault, Problem};
use super::input::{coerce, decode};
use super::operation::{FormField, Kind};

/// A client that sends nothing for this long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes a second that a client must send on the whole, or it holds its connection, and a server that wants to
/// stop, for as long as it likes.
const PACE: usize = 4 * 1024;

/// What is still read and thrown away after an early answer, so that a client in the middle of sending
/// gets to see it.
const COURTESY: usize = 4 * 1024 * 1024;

/// A text body with its media type.
#[derive(Clone, PartialEq, Eq)]
pub struct TextBody {
    /// Media type without parameters.
    pub content_type: String,
    /// The text.
    pub text: String,
}

impl fmt::Debug for TextBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in it may be long, or nobody's business.
        f.debug_struct("TextBody").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

impl TextBody {
    /// A text of the given media type.
    pub fn new(content_type: impl Into<String>, text: impl Into<String>) -> Self {
        Self { content_type: content_type.into(), text: text.into() }
    }
}

/// A body of bytes with its media type.
#[derive(Clone, PartialEq, Eq)]
pub struct BytesBody {
    /// Media type without parameters.
    pub content_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl fmt::Debug for BytesBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in it may be long, or nobody's business.
        f.debug_struct("BytesBody").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// A file in a multipart form.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePart {
    /// The name that the client gave it. Never a path to trust.
    pub file_name: Option<String>,
    /// The media type that the client claims.
    pub content_type: Option<String>,
    /// Its content.
    pub bytes: Bytes,
}

impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is in it may be long, or nobody's business.
        f.debug_struct("FilePart")
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A multipart form, read.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Map<String, Value>,
    files: Vec<(String, FilePart)>,
}

impl Form {
    /// Takes a file that must be there.
    pub fn file(&mut self, name: &str) -> Result<FilePart, Fault> {
        self.optional_file(name).ok_or_else(|| Fault::invalid([format!("/body/{name}: is required")]))
    }

    /// Takes a file.
    pub fn optional_file(&mut self, name: &str) -> Option<FilePart> {
        let index = self.files.iter().position(|(known, _)| known == name)?;
        Some(self.files.swap_remove(index).1)
    }

    /// Takes a field that must be there.
    pub fn field<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Fault> {
        self.optional_field(name)?.ok_or_else(|| Fault::invalid([format!("/body/{name}: is required")]))
    }

    /// Takes a field.
    pub fn optional_field<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Fault> {
        let Some(value) = self.fields.remove(name) else { return Ok(None) };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|_| Fault::invalid([format!("/body/{name}: does not have the documented form")]))
    }

    /// Tells `sink` what the form holds; see [`Parts::tell`](super::input::Parts::tell).
    pub(super) fn tell(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(b"form");
        super::json::canonical(&Value::Object(self.fields.clone()), sink);
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, file) in files {
            let claimed = [file.file_name.as_deref(), file.content_type.as_deref()];
            // The length says where the bytes end.
            let head = serde_json::json!([name, claimed, file.bytes.len()]);
            super::json::canonical(&head, sink);
            sink(&file.bytes);
        }
    }

    /// The form as a JSON object for the schema; files stand there as empty strings.
    pub(super) fn as_value(&self) -> Value {
        let mut value = self.fields.clone();
        for (name, _) in &self.files {
            value.insert(name.clone(), Value::String(String::new()));
        }
        Value::Object(value)
    }
}

/// Reads a whole body, `limit` bytes at most.
pub async fn read(headers: &HeaderMap, body: &mut dropshot::Body, limit: usize) -> Result<Bytes, Fault> {
    if declared(headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut out = BytesMut::new();
    let begun = Instant::now();
    while let Some(data) = next(body, patience(begun.elapsed(), out.len())).await? {
        if out.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        out.extend_from_slice(&data);
    }
    Ok(out.freeze())
}

/// Reads and forgets what the client is still sending, within reason.
pub async fn forget(headers: &HeaderMap, body: &mut dropshot::Body) {
    use hyper::body::Body as _;
    let waits = headers.contains_key(http::header::EXPECT);
    if waits || body.is_end_stream() || declared(headers).is_some_and(|length| length > COURTESY as u64) {
        return;
    }
    let reading = async {
        let mut seen = 0;
        while let Ok(Some(data)) = next(body, PATIENCE).await {
            seen += data.len();
            if seen > COURTESY {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
}

/// How long the next bytes may take, of a body of which `seen` came in the time that has `passed`.
fn patience(passed: Duration, seen: usize) -> Duration {
    let granted = PATIENCE + Duration::from_secs((seen / PACE) as u64);
    granted.saturating_sub(passed).min(PATIENCE)
}

async fn next(body: &mut dropshot::Body, patience: Duration) -> Result<Option<Bytes>, Fault> {
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| {
            Fault::new(
                http::StatusCode::REQUEST_TIMEOUT,
                Problem::Invalid,
                "The body did not arrive in time. Send the request again, with all of its body at once.",
            )
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                return Err(Fault::invalid(["/body: ended before its time".into()]).cause(error));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Fault {
    Fault::of(Problem::TooLarge, "The request body is too large. Send no more than details say.")
        .detail(format!("/body: must have at most {limit} bytes"))
}

/// `name=value` pairs as an object. Repeated names are a fault; empty values count as left out.
pub fn url_encoded(bytes: &[u8], kinds: &[(&str, Kind)]) -> Result<Value, Fault> {
    let mut out = Map::new();
    let mut lines = Vec::new();
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::invalid(["/body: is not UTF-8".into()]))?;
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode(name, true), decode(value, true)) else {
            lines.push("/body: holds a character that is not UTF-8, or NUL".into());
            continue;
        };
        let pointer = format!("/body/{}", super::lines::escape(&name));
        if out.contains_key(&name) {
            lines.push(format!("{pointer}: is sent more than once"));
            continue;
        }
        let kind = kinds.iter().find(|(known, _)| *known == name).map_or(Kind::Text, |(_, kind)| *kind);
        match coerce(kind, &value) {
            // Marked now, removed below: a repeated empty value is a repeat too.
            _ if value.is_empty() => drop(out.insert(name, Value::Null)),
            Ok(value) => drop(out.insert(name, value)),
            Err(problem) => lines.push(format!("{pointer}: {problem}")),
        }
    }
    if !lines.is_empty() {
        return Err(Fault::invalid(lines));
    }
    out.retain(|_, value| !value.is_null());
    Ok(Value::Object(out))
}

/// A multipart form: `bytes` is the whole body, already within its limit.
pub async fn multipart(content_type: &str, bytes: Bytes, fields: &[FormField]) -> Result<Form, Fault> {
    let boundary = multer::parse_boundary(content_type)
        .map_err(|_| Fault::invalid(["/header/content-type: a multipart form needs a boundary".into()]))?;
    let stream = futures_util::stream::once(async move { Ok::<_, std::convert::Infallible>(bytes) });
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut form = Form::default();
    let mut lines = Vec::new();
    loop {
        let part = parts.next_field().await;
        let Some(part) = part.map_err(|error| broken_form(&error))? else { break };
        let Some(name) = part.name().map(str::to_owned) else { continue };
        // Unknown parts are ignored, as unknown properties are.
        let Some(field) = fields.iter().find(|field| field.name == name) else { continue };
        let pointer = format!("/body/{}", super::lines::escape(&name));
        if form.fields.contains_key(&name) || form.files.iter().any(|(known, _)| *known == name) {
            lines.push(format!("{pointer}: is sent more than once"));
            continue;
        }
        let file_name = part.file_name().map(str::to_owned);
        let claimed = part.content_type().map(ToString::to_string);
        let bytes = part.bytes().await.map_err(|error| broken_form(&error))?;
        if field.file {
            form.files.push((name, FilePart { file_name, content_type: claimed, bytes }));
            continue;
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => match coerce(field.kind, text) {
                Ok(value) => drop(form.fields.insert(name, value)),
                Err(problem) => lines.push(format!("{pointer}: {problem}")),
            },
            _ => lines.push(format!("{pointer}: holds a character that is not UTF-8, or NUL")),
        }
    }
    if lines.is_empty() { Ok(form) } else { Err(Fault::invalid(lines)) }
}

fn broken_form(error: &multer::Error) -> Fault {
    Fault::invalid(["/body: is not a complete multipart form".into()]).cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_with_a_client_that_drips() {
        let seconds = Duration::from_secs;
        assert_eq!(patience(seconds(0), 0), PATIENCE);
        assert_eq!(patience(seconds(20), 10), seconds(10));
        assert_eq!(patience(seconds(31), 31), Duration::ZERO);
        // 1 MiB over a slow line.
        assert_eq!(patience(seconds(200), 200 * 2 * PACE), PATIENCE);
    }
}
