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
pub(crate) struct ProgenitorClient {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
    pub(crate) inner: RequestContext,
}

/// What progenitor does not keep: whose exchange it is, and how the response began.
pub(crate) struct RequestContext {
    core: Core,
    operation: &'static Operation,
    head: Mutex<Option<(StatusCode, HeaderMap)>>,
}

impl ClientInfo<RequestContext> for ProgenitorClient {
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

    fn inner(&self) -> &RequestContext {
        &self.inner
    }
}

impl ClientHooks<RequestContext> for ProgenitorClient {
    async fn pre<E>(
        &self,
        request: &mut Request,
        _: &OperationInfo,
    ) -> Result<(), progenitor_client::Error<E>> {
        request.headers_mut().remove("api-version");
        self.inner.core.prepare(self.inner.operation, request).map_err(|error| {
            progenitor_client::Error::InvalidRequest(match error {
                Error::InvalidRequest(problem) => problem,
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
impl ProgenitorClient {
    pub(crate) fn new(
        baseurl: String,
        client: reqwest::Client,
        core: Core,
        operation: &'static Operation,
    ) -> Self {
        Self { baseurl, client, inner: RequestContext { core, operation, head: Mutex::new(None) } }
    }

    /// Turns progenitor's result into this client's.
    pub(crate) async fn finish<T, B: ErrorBody>(
        self,
        result: Result<ResponseValue<T>, progenitor_client::Error<B>>,
    ) -> Result<Response<T>, Error> {
        use progenitor_client::Error as ProgenitorError;

        let error = match result {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                return Ok(Response::new(status, headers, response.into_inner()));
            }
            Err(error) => error,
        };
        Err(match error {
            ProgenitorError::ErrorResponse(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                B::into_error(ApiError::new(status, headers, response.into_inner()))
            }
            ProgenitorError::UnexpectedResponse(response) => unexpected_response(response).await,
            ProgenitorError::InvalidResponsePayload(body, source) => {
                let head = self.inner.head.into_inner().unwrap_or_else(PoisonError::into_inner);
                let (status, headers) = head.unwrap_or_default();
                decode_error(status, headers, body, source)
            }
            ProgenitorError::CommunicationError(error)
            | ProgenitorError::InvalidUpgrade(error)
            | ProgenitorError::ResponseBodyError(error) => error.into(),
            ProgenitorError::InvalidRequest(problem) | ProgenitorError::Custom(problem) => {
                Error::InvalidRequest(problem)
            }
        })
    }
}

/// An response whose body does not have the documented type: of an error, the contract just does not know it.
pub(crate) fn decode_error(
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

/// An response that the contract does not document, read to its end.
pub(crate) async fn unexpected_response(response: reqwest::Response) -> Error {
    let status = response.status();
    let headers = Box::new(response.headers().clone());
    match response.bytes().await {
        Ok(body) => Error::Unexpected { status, headers, body },
        Err(error) => error.into(),
    }
}
