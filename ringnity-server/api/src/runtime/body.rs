//! Reads request bodies: limits of size and time, form bodies.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};

use super::content::{FilePart, Form};
use super::decode::percent_decode;
use super::fault::Fault;
use super::operation::{FormField, ValueType};
use super::problem::Problem;

/// A client that sends nothing for this long gets 408.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Average rate that a client must keep. A slower client could hold a connection, and a server that is shutting down,
/// for as long as it likes.
const MIN_BYTES_PER_SECOND: usize = 4 * 1024;

/// Maximum size of a body that is read and discarded after an early response. A client that is still sending sees the
/// response only then.
const DRAIN_LIMIT: usize = 4 * 1024 * 1024;

/// Reads a whole body, `limit` bytes at most.
pub async fn read(headers: &HeaderMap, body: &mut dropshot::Body, limit: usize) -> Result<Bytes, Fault> {
    if content_length(headers).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut out = BytesMut::new();
    let started = Instant::now();
    while let Some(data) = next(body, read_timeout(started.elapsed(), out.len())).await? {
        if out.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        out.extend_from_slice(&data);
    }
    Ok(out.freeze())
}

/// Reads and discards the rest of a body, up to [`DRAIN_LIMIT`] and for two seconds at most.
pub async fn drain(headers: &HeaderMap, body: &mut dropshot::Body) {
    use hyper::body::Body as _;
    let expects_continue = headers.contains_key(http::header::EXPECT);
    if expects_continue
        || body.is_end_stream()
        || content_length(headers).is_some_and(|length| length > DRAIN_LIMIT as u64)
    {
        return;
    }
    let reading = async {
        let mut seen = 0;
        while let Ok(Some(data)) = next(body, IDLE_TIMEOUT).await {
            seen += data.len();
            if seen > DRAIN_LIMIT {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), reading).await;
}

/// How long to wait for the next bytes of a body of which `seen` bytes came in the time `passed`.
fn read_timeout(passed: Duration, seen: usize) -> Duration {
    let granted = IDLE_TIMEOUT + Duration::from_secs((seen / MIN_BYTES_PER_SECOND) as u64);
    granted.saturating_sub(passed).min(IDLE_TIMEOUT)
}

async fn next(body: &mut dropshot::Body, timeout: Duration) -> Result<Option<Bytes>, Fault> {
    loop {
        let frame = tokio::time::timeout(timeout, body.frame()).await.map_err(|_| {
            Fault::new(
                http::StatusCode::REQUEST_TIMEOUT,
                Problem::Invalid,
                "The body did not arrive in time. Send the request again, with all of its body at once.",
            )
        })?;
        match frame {
            None => return Ok(None),
            Some(Err(error)) => {
                return Err(Fault::invalid(["/body: ended before it was complete".into()]).cause(error));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Fault {
    Fault::of(Problem::TooLarge, "The request body is too large. Send no more than `details` says.")
        .detail(format!("/body: must have at most {limit} bytes"))
}

/// `name=value` pairs as an object. A repeated name is an error; an empty value counts as absent.
pub fn url_encoded(bytes: &[u8], kinds: &[(&str, ValueType)]) -> Result<Value, Fault> {
    let mut out = Map::new();
    let mut lines = Vec::new();
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::invalid(["/body: is not UTF-8".into()]))?;
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (percent_decode(name, true), percent_decode(value, true)) else {
            lines.push("/body: holds a character that is not UTF-8, or NUL".into());
            continue;
        };
        let pointer = format!("/body/{}", super::violations::escape(&name));
        if out.contains_key(&name) {
            lines.push(format!("{pointer}: is sent more than once"));
            continue;
        }
        let kind = kinds.iter().find(|(known, _)| *known == name).map_or(ValueType::Text, |(_, kind)| *kind);
        match kind.parse(&value) {
            // Removed below. Until then it lets a repeated empty value be found.
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
        let pointer = format!("/body/{}", super::violations::escape(&name));
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
            Ok(text) if !text.contains('\0') => match field.value_type.parse(text) {
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
    fn limits_clients_that_send_slowly() {
        let seconds = Duration::from_secs;
        assert_eq!(read_timeout(seconds(0), 0), IDLE_TIMEOUT);
        assert_eq!(read_timeout(seconds(20), 10), seconds(10));
        assert_eq!(read_timeout(seconds(31), 31), Duration::ZERO);
        // 1 MiB over a slow connection.
        assert_eq!(read_timeout(seconds(200), 200 * 2 * MIN_BYTES_PER_SECOND), IDLE_TIMEOUT);
    }
}
