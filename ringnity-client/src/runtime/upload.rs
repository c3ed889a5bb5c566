//! Files on their way to the server: from a path, from memory, or from a stream.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_core::Stream;
use reqwest::Body;
use reqwest::multipart::Part;

use crate::generated::Error;

/// A file to send, with the name and media type that the server is told.
pub struct Upload {
    source: Source,
    length: Option<u64>,
    file_name: Option<String>,
    content_type: Option<String>,
}

enum Source {
    Path(PathBuf),
    Bytes(Bytes),
    Stream(Body),
}

impl Upload {
    fn from_source(source: Source) -> Self {
        Self { source, length: None, file_name: None, content_type: None }
    }

    /// A file on disk, opened when the call is sent and read as it goes. Its name and, by its extension, its
    /// media type are sent unless others are set.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::from_source(Source::Path(path.as_ref().to_path_buf()))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::from_source(Source::Bytes(bytes.into()))
    }

    /// A stream of chunks. Set [`Upload::length`] when it is known: some servers ask for it.
    pub fn stream<S, T, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Bytes> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        Bytes: From<T>,
    {
        Self::from_source(Source::Stream(Body::wrap_stream(stream)))
    }

    /// The number of bytes in the stream.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// The file name that the server is told.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// The media type that the server is told.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// As one part of a multipart form.
    pub(crate) async fn into_part(self) -> Result<Part, Error> {
        let known = matches!(self.source, Source::Path(_));
        let mut part = match self.source {
            Source::Path(path) => Part::file(&path)
                .await
                .map_err(|error| Error::InvalidRequest(format!("cannot read {}: {error}", path.display())))?,
            Source::Bytes(bytes) => {
                let length = bytes.len() as u64;
                Part::stream_with_length(bytes, length)
            }
            Source::Stream(body) => match self.length {
                Some(length) => Part::stream_with_length(body, length),
                None => Part::stream(body),
            },
        };
        // A part without a file name is a text field to most servers.
        match self.file_name {
            Some(name) => part = part.file_name(name),
            None if !known => part = part.file_name("file"),
            None => {}
        }
        match self.content_type.as_deref() {
            Some(media) => part
                .mime_str(media)
                .map_err(|_| Error::InvalidRequest(format!("{media:?} is not a media type for an upload"))),
            None if !known => Ok(part.mime_str("application/octet-stream")?),
            None => Ok(part),
        }
    }

    /// As a whole body, with its media type when one is set.
    pub(crate) async fn into_body(self) -> Result<(Body, Option<String>), Error> {
        let body = match self.source {
            Source::Path(path) => {
                // reqwest opens files for parts only; a body of known size is read at once instead.
                let bytes = std::fs::read(&path).map_err(|error| {
                    Error::InvalidRequest(format!("cannot read {}: {error}", path.display()))
                })?;
                Body::from(bytes)
            }
            Source::Bytes(bytes) => Body::from(bytes),
            Source::Stream(body) => body,
        };
        Ok((body, self.content_type))
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = formatter.debug_struct("Upload");
        match &self.source {
            Source::Path(path) => out.field("path", path),
            Source::Bytes(bytes) => out.field("bytes", &bytes.len()),
            Source::Stream(_) => out.field("stream", &self.length),
        };
        out.field("file_name", &self.file_name).field("content_type", &self.content_type).finish()
    }
}

impl From<Vec<u8>> for Upload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Bytes> for Upload {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}
