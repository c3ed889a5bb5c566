//! Carries the calls that progenitor wrote: its client, with hooks that hand every request to [`Core`].

use std::sync::{Mutex, PoisonError};

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo, ResponseValue};
use reqwest::header::HeaderMap;
use reqwest::{Request, StatusCode};

use super::client::Core;
use super::error::{ApiError, ErrorBody};
use super::operation::Operation;
use super::response::Response;
use crate::generated::Error;

/// One exchange by a call of progenitor's. Its members have the names that progenitor's code expects.
pub(crate) struct Wire {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
    pub(crate) inner: Exchange,
}

/// What progenitor does not keep: whose exchange it is, and how the answer began.
pub(crate) struct Exchange {
    core: Core,
    operation: &'static Operation,
    head: Mutex<Option<(StatusCode, HeaderMap)>>,
}

impl ClientInfo<Exchange> for Wire {
    fn api_version() -> &'static str {
        // Goes into a header that the contract does not know, and is taken out before sending.
        ""
    }

    fn baseurl(&self) -> &str {
        &self.baseurl
    }

    fn client(&self) -> &reqwest::Client {
        &self.client
    }

    fn inner(&self) -> &Exchange {
        &self.inner
    }
}

impl ClientHooks<Exchange> for Wire {
    async fn pre<E>(
        &self,
        request: &mut Request,
        _: &OperationInfo,
    ) -> Result<(), progenitor_client::Error<E>> {
        request.headers_mut().remove("api-version");
        self.inner.core.prepare(self.inner.operation, request).map_err(|error| {
            progenitor_client::Error::InvalidRequest(match error {
                Error::Request(problem) => problem,
                other => other.to_string(),
            })
        })
    }

    async fn exec(&self, request: Request, _: &OperationInfo) -> reqwest::Result<reqwest::Response> {
        let response = self.inner.core.execute(self.inner.operation, request).await?;
        let head = (response.status(), response.headers().clone());
        *self.inner.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        Ok(response)
    }
}

#[allow(dead_code, reason = "a contract may have no call that progenitor writes")]
impl Wire {
    pub(crate) fn new(
        baseurl: String,
        client: reqwest::Client,
        core: Core,
        operation: &'static Operation,
    ) -> Self {
        Self { baseurl, client, inner: Exchange { core, operation, head: Mutex::new(None) } }
    }

    /// Turns progenitor's result into this client's.
    pub(crate) async fn finish<T, B: ErrorBody>(
        self,
        result: Result<ResponseValue<T>, progenitor_client::Error<B>>,
    ) -> Result<Response<T>, Error> {
        use progenitor_client::Error as Theirs;

        let error = match result {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                return Ok(Response::new(status, headers, answer.into_inner()));
            }
            Err(error) => error,
        };
        Err(match error {
            Theirs::ErrorResponse(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                B::into_error(ApiError::new(status, headers, answer.into_inner()))
            }
            Theirs::UnexpectedResponse(answer) => unexpected(answer).await,
            Theirs::InvalidResponsePayload(body, source) => {
                let head = self.inner.head.into_inner().unwrap_or_else(PoisonError::into_inner);
                let (status, headers) = head.unwrap_or_default();
                not_as_said(status, headers, body, source)
            }
            Theirs::CommunicationError(error)
            | Theirs::InvalidUpgrade(error)
            | Theirs::ResponseBodyError(error) => error.into(),
            Theirs::InvalidRequest(problem) | Theirs::Custom(problem) => Error::Request(problem),
        })
    }
}

/// An answer whose body does not have the documented type: of an error, the contract just does not know it.
pub(crate) fn not_as_said(
    status: StatusCode,
    headers: HeaderMap,
    body: bytes::Bytes,
    source: serde_json::Error,
) -> Error {
    let headers = Box::new(headers);
    if status.is_client_error() || status.is_server_error() {
        Error::Unexpected { status, headers, body }
    } else {
        Error::Decode { status, headers, body, source }
    }
}

/// An answer that the contract does not document, read to its end.
pub(crate) async fn unexpected(response: reqwest::Response) -> Error {
    let status = response.status();
    let headers = Box::new(response.headers().clone());
    match response.bytes().await {
        Ok(body) => Error::Unexpected { status, headers, body },
        Err(error) => error.into(),
    }
}
