//! Requests that progenitor cannot write: several media types, multipart forms, optional bodies, redirects,
//! cookies.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::multipart::Form;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::form_urlencoded;

use super::error::{ApiError, ErrorBody, decode_error, unexpected_response};
use super::operation::Operation;
use super::response::{ByteStream, Redirect, Response, Text};
use super::transport::Transport;
use super::upload::Upload;
use crate::generated::Error;

/// How a query parameter with several values is serialized (OpenAPI `style` and `explode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "a contract may use only some")]
pub(crate) enum Style {
    /// `name=a&name=b`; the properties of an object under their own names.
    Form,
    /// `name=a,b`
    Comma,
    /// `name=a b`
    Space,
    /// `name=a|b`
    Pipe,
    /// `name[key]=value`
    Deep,
}

/// Builds a request of an operation. The first error is stored and returned by [`OperationRequest::send`].
pub(crate) struct OperationRequest {
    transport: Transport,
    operation: &'static Operation,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    cookies: Vec<String>,
    body: RequestBody,
    error: Option<Error>,
}

enum RequestBody {
    None,
    Bytes(Vec<u8>),
    Upload(Upload),
    Form(Vec<(&'static str, FormPart)>),
}

enum FormPart {
    Text(String),
    File(Upload),
}

#[allow(dead_code, reason = "a contract may need only some")]
impl OperationRequest {
    pub(crate) fn new(transport: Transport, operation: &'static Operation) -> Self {
        Self {
            transport,
            operation,
            path: operation.path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            cookies: Vec::new(),
            body: RequestBody::None,
            error: None,
        }
    }

    fn fail(mut self, message: String) -> Self {
        self.error.get_or_insert(Error::InvalidRequest(message));
        self
    }

    /// Sets a path parameter.
    pub(crate) fn path<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let text = to_strings(value).join(",");
        match check_path_segment(name, &text) {
            Ok(()) => {
                self.path = self.path.replacen(&format!("{{{name}}}"), &percent_encode(&text), 1);
                self
            }
            Err(error) => {
                self.error.get_or_insert(error);
                self
            }
        }
    }

    /// Adds a query parameter unless `value` is null.
    pub(crate) fn query<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        self.styled(name, Style::Form, value)
    }

    /// Adds a query parameter in the given style.
    pub(crate) fn styled<T: Serialize + ?Sized>(mut self, name: &str, style: Style, value: &T) -> Self {
        let separator = match style {
            Style::Comma => ",",
            Style::Space => " ",
            Style::Pipe => "|",
            Style::Form | Style::Deep => {
                match serde_json::to_value(value) {
                    Ok(Value::Object(members)) => {
                        for (key, member) in members {
                            let key = if style == Style::Deep { format!("{name}[{key}]") } else { key };
                            self.query
                                .extend(to_strings(&member).into_iter().map(|text| (key.clone(), text)));
                        }
                    }
                    Ok(other) => {
                        self.query.extend(to_strings(&other).into_iter().map(|text| (name.to_owned(), text)));
                    }
                    Err(error) => return self.fail(format!("{name}: {error}")),
                }
                return self;
            }
        };
        let all = to_strings(value);
        if !all.is_empty() {
            self.query.push((name.to_owned(), all.join(separator)));
        }
        self
    }

    /// Adds a header unless `value` is null.
    pub(crate) fn header<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let all = to_strings(value);
        if all.is_empty() {
            return self;
        }
        let text = all.join(",");
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&text)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
                self
            }
            _ => self.fail(format!("{name}: {text:?} is not a valid header value")),
        }
    }

    /// Adds a cookie unless `value` is null.
    pub(crate) fn cookie<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        let all = to_strings(value);
        if !all.is_empty() {
            self.cookies.push(format!("{name}={}", percent_encode(&all.join(","))));
        }
        self
    }

    /// Sets the `Accept` header.
    pub(crate) fn accept(self, media: &str) -> Self {
        self.header(ACCEPT.as_str(), media)
    }

    /// Sets a JSON body.
    pub(crate) fn json<T: Serialize + ?Sized>(self, media: &str, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.bytes(media, bytes),
            Err(error) => self.fail(format!("body: {error}")),
        }
    }

    /// Sets a body of type `application/x-www-form-urlencoded`.
    pub(crate) fn form<T: Serialize + ?Sized>(self, body: &T) -> Self {
        let members = match serde_json::to_value(body) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return self.fail("body: a form must be an object".into()),
            Err(error) => return self.fail(format!("body: {error}")),
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &members {
            for text in to_strings(value) {
                form.append_pair(name, &text);
            }
        }
        self.bytes("application/x-www-form-urlencoded", form.finish().into_bytes())
    }

    /// Sets a body of text or bytes.
    pub(crate) fn bytes(mut self, media: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = RequestBody::Bytes(body.into());
        self.header(CONTENT_TYPE.as_str(), media)
    }

    /// Sets a body that is one file.
    pub(crate) fn upload(mut self, media: &str, upload: Upload) -> Self {
        self.body = RequestBody::Upload(upload);
        self.header(CONTENT_TYPE.as_str(), media)
    }

    fn part(&mut self, name: &'static str, part: FormPart) {
        match &mut self.body {
            RequestBody::Form(parts) => parts.push((name, part)),
            other => *other = RequestBody::Form(vec![(name, part)]),
        }
    }

    /// Adds a text field to the multipart form unless `value` is null.
    pub(crate) fn field<T: Serialize + ?Sized>(mut self, name: &'static str, value: &T) -> Self {
        for text in to_strings(value) {
            self.part(name, FormPart::Text(text));
        }
        self
    }

    /// Adds a file to the multipart form unless it is `None`.
    pub(crate) fn file(mut self, name: &'static str, upload: impl Into<Option<Upload>>) -> Self {
        if let Some(upload) = upload.into() {
            self.part(name, FormPart::File(upload));
        }
        self
    }

    /// Sends the request and returns the response with its body unread.
    pub(crate) async fn send(self) -> Result<RawResponse, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let method = Method::from_bytes(self.operation.method.as_bytes())
            .map_err(|_| Error::InvalidRequest(format!("{} is not an HTTP method", self.operation.method)))?;
        let address = format!("{}{}", self.transport.base_url(), self.path);
        let mut url =
            Url::parse(&address).map_err(|error| Error::InvalidRequest(format!("{address:?}: {error}")))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut headers = self.headers;
        if !self.cookies.is_empty() {
            let cookies = self.cookies.join("; ");
            let value = HeaderValue::from_str(&cookies)
                .map_err(|_| Error::InvalidRequest(format!("{cookies:?} is not a valid header value")))?;
            headers.insert(COOKIE, value);
        }
        let mut request = self.transport.http().request(method, url);
        match self.body {
            RequestBody::None => {}
            RequestBody::Bytes(bytes) => request = request.body(bytes),
            RequestBody::Upload(upload) => {
                let (body, media) = upload.into_body().await?;
                if let Some(media) = media {
                    let media = HeaderValue::from_str(&media)
                        .map_err(|_| Error::InvalidRequest(format!("{media:?} is not a media type")))?;
                    headers.insert(CONTENT_TYPE, media);
                }
                request = request.body(body);
            }
            RequestBody::Form(parts) => {
                let mut form = Form::new();
                for (name, part) in parts {
                    form = match part {
                        FormPart::Text(text) => form.text(name, text),
                        FormPart::File(upload) => form.part(name, upload.into_part().await?),
                    };
                }
                request = request.multipart(form);
            }
        }
        let mut request = request.headers(headers).build()?;
        self.transport.prepare(self.operation, &mut request)?;
        Ok(RawResponse(self.transport.execute(self.operation, request).await?))
    }
}

/// A response whose status has not been interpreted yet.
pub(crate) struct RawResponse(reqwest::Response);

#[allow(dead_code, reason = "a contract may need only some")]
impl RawResponse {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    /// Media type in lower case, without parameters; empty when there is none.
    pub(crate) fn media(&self) -> String {
        let value = self.0.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
    }

    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<Response<T>, Error> {
        let (status, headers) = (self.0.status(), self.0.headers().clone());
        let body = self.0.bytes().await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Response::new(status, headers, value)),
            Err(source) => Err(decode_error(status, headers, body, source)),
        }
    }

    pub(crate) async fn text(self) -> Result<Response<Text>, Error> {
        let (status, headers) = (self.0.status(), self.0.headers().clone());
        let content_type = self.media();
        let text = self.0.text().await?;
        Ok(Response::new(status, headers, Text { content_type, text }))
    }

    pub(crate) async fn stream(self) -> Result<Response<ByteStream>, Error> {
        let (status, headers) = (self.0.status(), self.0.headers().clone());
        Ok(Response::new(status, headers, ByteStream::new(self.0)))
    }

    pub(crate) async fn empty(self) -> Result<Response<()>, Error> {
        Ok(Response::new(self.0.status(), self.0.headers().clone(), ()))
    }

    pub(crate) async fn redirect(self) -> Result<Response<Redirect>, Error> {
        let (status, headers) = (self.0.status(), self.0.headers().clone());
        match headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned) {
            Some(location) => Ok(Response::new(status, headers, Redirect { location })),
            None => Err(unexpected_response(self.0).await),
        }
    }

    pub(crate) async fn error<B: ErrorBody>(self) -> Error {
        let (status, headers) = (self.0.status(), self.0.headers().clone());
        match self.json::<B>().await {
            Ok(body) => B::into_error(ApiError::new(status, headers, body.into_inner())),
            Err(error) => error,
        }
    }

    pub(crate) async fn unexpected_response(self) -> Error {
        unexpected_response(self.0).await
    }
}

/// Serializes a parameter to strings: none for null, one per item for a list.
fn to_strings<T: Serialize + ?Sized>(value: &T) -> Vec<String> {
    match serde_json::to_value(value).unwrap_or_default() {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(to_strings).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, member)| std::iter::once(key.clone()).chain(to_strings(member)))
            .collect(),
        other => vec![other.to_string()],
    }
}

/// Rejects values that would change the path when the URL is normalized.
pub(crate) fn check_path_segment(name: &str, value: &str) -> Result<(), Error> {
    match value {
        "" | "." | ".." => {
            Err(Error::InvalidRequest(format!("{name}: {value:?} is not allowed as a path parameter")))
        }
        _ => Ok(()),
    }
}

/// Everything but the unreserved characters of RFC 3986 is percent-encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serializes_parameters_to_strings() {
        assert_eq!(to_strings(&Some(3)), ["3"]);
        assert!(to_strings(&None::<String>).is_empty());
        assert_eq!(to_strings(&["a", "b"]), ["a", "b"]);
        assert_eq!(to_strings(&true), ["true"]);
    }

    #[test]
    fn path_parameter_stays_in_its_segment() {
        assert_eq!(percent_encode("a/b ü?"), "a%2Fb%20%C3%BC%3F");
        assert!(check_path_segment("id", "..").is_err());
        assert!(check_path_segment("id", "").is_err());
        assert!(check_path_segment("id", "...").is_ok());
    }
}
