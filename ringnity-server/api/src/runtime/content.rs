//! Bodies that are not JSON: text, bytes and forms in requests; text, bytes, streams and redirects in responses.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fault::Fault;
use super::json;

/// Error of a stream.
pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Chunks of a response body.
pub(super) type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, BoxError>> + Send>>;

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
        // The content may be long or confidential.
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
        // The content may be long or confidential.
        f.debug_struct("BytesBody").field("content_type", &self.content_type).finish_non_exhaustive()
    }
}

/// A file in a multipart form.
#[derive(Clone, PartialEq, Eq)]
pub struct FilePart {
    /// File name as the client sent it. Never use it as a path.
    pub file_name: Option<String>,
    /// The media type that the client claims.
    pub content_type: Option<String>,
    /// Content.
    pub bytes: Bytes,
}

impl fmt::Debug for FilePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The content may be long or confidential.
        f.debug_struct("FilePart")
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type)
            .finish_non_exhaustive()
    }
}

/// A multipart form.
#[derive(Debug, Clone, Default)]
pub struct Form {
    pub(super) fields: Map<String, Value>,
    pub(super) files: Vec<(String, FilePart)>,
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

    /// Feeds the form to a hash; see [`ValidatedInput::hash_into`](super::ValidatedInput::hash_into).
    pub(super) fn hash_into(&self, sink: &mut dyn FnMut(&[u8])) {
        sink(b"form");
        json::canonical(&Value::Object(self.fields.clone()), sink);
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        for (name, file) in files {
            let claimed = [file.file_name.as_deref(), file.content_type.as_deref()];
            // The length says where the bytes end.
            let head = serde_json::json!([name, claimed, file.bytes.len()]);
            json::canonical(&head, sink);
            sink(&file.bytes);
        }
    }

    /// The form as a JSON object for validation, with files as empty strings.
    pub(super) fn as_value(&self) -> Value {
        let mut value = self.fields.clone();
        for (name, _) in &self.files {
            value.insert(name.clone(), Value::String(String::new()));
        }
        Value::Object(value)
    }
}

/// A response body that is not JSON: bytes or a stream.
pub struct Content {
    pub(super) content_type: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) payload: Payload,
}

/// Bytes of a response body.
pub(super) enum Payload {
    Bytes(Bytes),
    Stream(Chunks),
}

impl Content {
    /// A body of bytes.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { content_type: None, file_name: None, payload: Payload::Bytes(bytes.into()) }
    }

    /// A body that is sent chunk by chunk. An error ends it early.
    pub fn stream<S, E>(chunks: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let chunks = Box::pin(chunks.map(|chunk| chunk.map_err(Into::into)));
        Self { content_type: None, file_name: None, payload: Payload::Stream(chunks) }
    }

    /// A media type other than the documented one, such as one with parameters.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Makes browsers save the body as a file with this name.
    #[must_use]
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content")
            .field("content_type", &self.content_type)
            .field("file_name", &self.file_name)
            .finish_non_exhaustive()
    }
}

/// A redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Target of the redirect.
    pub location: String,
}

impl Redirect {
    /// A redirect to `location`.
    pub fn to(location: impl Into<String>) -> Self {
        Self { location: location.into() }
    }
}
