//! Files to upload: from a path, from memory, or from a stream.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_core::Stream;
use reqwest::Body;
use reqwest::multipart::Part;

use crate::generated::Error;

/// A file to upload, with its file name and media type.
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

    /// Uploads a file on disk. It is opened when the request is sent.
    ///
    /// In a multipart form the file is streamed, and its name and a media type guessed from its extension are
    /// sent unless others are set. As a whole request body it is read into memory first.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self::from_source(Source::Path(path.as_ref().to_path_buf()))
    }

    /// Uploads bytes from memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::from_source(Source::Bytes(bytes.into()))
    }

    /// Uploads a stream of chunks. Set [`Upload::length`] if it is known: some servers require it.
    pub fn stream<S, T, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<T, E>> + Send + 'static,
        T: Into<Bytes> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
        Bytes: From<T>,
    {
        Self::from_source(Source::Stream(Body::wrap_stream(stream)))
    }

    /// Sets the number of bytes in the stream. Ignored for files and bytes.
    pub fn length(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// Sets the file name. Default: the name of the file on disk, otherwise `file`.
    pub fn file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sets the media type, such as `image/png`. Default: guessed for a file on disk, otherwise
    /// `application/octet-stream`.
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Converts to a part of a multipart form.
    pub(crate) async fn into_part(self) -> Result<Part, Error> {
        let is_path = matches!(self.source, Source::Path(_));
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
        // Most servers take a part without a file name for a text field.
        match self.file_name {
            Some(name) => part = part.file_name(name),
            None if !is_path => part = part.file_name("file"),
            None => {}
        }
        match self.content_type.as_deref() {
            Some(media) => part
                .mime_str(media)
                .map_err(|_| Error::InvalidRequest(format!("{media:?} is not a media type"))),
            None if !is_path => Ok(part.mime_str("application/octet-stream")?),
            None => Ok(part),
        }
    }

    /// Converts to a request body, with its media type if one is set.
    pub(crate) async fn into_body(self) -> Result<(Body, Option<String>), Error> {
        let body = match self.source {
            Source::Path(path) => {
                // reqwest streams files in multipart forms only.
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
