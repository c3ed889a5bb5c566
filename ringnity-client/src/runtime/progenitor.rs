//! The client type that progenitor's code runs on. Its hooks send every request through [`Transport`].

use std::sync::{Mutex, PoisonError};

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo, ResponseValue};
use reqwest::header::HeaderMap;
use reqwest::{Request, StatusCode};

use super::error::{ApiError, ErrorBody, decode_error, unexpected_response};
use super::operation::Operation;
use super::response::Response;
use super::transport::Transport;
use crate::generated::Error;

/// Client for one request by progenitor's code, which expects fields of these names.
pub(crate) struct ProgenitorClient {
    pub(crate) baseurl: String,
    pub(crate) client: reqwest::Client,
    pub(crate) inner: RequestContext,
}

/// State that progenitor's code does not carry: the operation, and status and headers of the response.
pub(crate) struct RequestContext {
    transport: Transport,
    operation: &'static Operation,
    response_head: Mutex<Option<(StatusCode, HeaderMap)>>,
}

impl ClientInfo<RequestContext> for ProgenitorClient {
    fn api_version() -> &'static str {
        // Progenitor sends this as the header `api-version`, which `pre` removes.
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
        self.inner.transport.prepare(self.inner.operation, request).map_err(|error| {
            progenitor_client::Error::InvalidRequest(match error {
                Error::InvalidRequest(message) => message,
                other => other.to_string(),
            })
        })
    }

    async fn exec(&self, request: Request, _: &OperationInfo) -> reqwest::Result<reqwest::Response> {
        let response = self.inner.transport.execute(self.inner.operation, request).await?;
        let response_head = (response.status(), response.headers().clone());
        *self.inner.response_head.lock().unwrap_or_else(PoisonError::into_inner) = Some(response_head);
        Ok(response)
    }
}

#[allow(dead_code, reason = "a contract may have no call that progenitor writes")]
impl ProgenitorClient {
    pub(crate) fn new(transport: Transport, operation: &'static Operation) -> Self {
        Self {
            baseurl: transport.base_url().to_owned(),
            client: transport.http().clone(),
            inner: RequestContext { transport, operation, response_head: Mutex::new(None) },
        }
    }

    /// Converts progenitor's result.
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
                let response_head =
                    self.inner.response_head.into_inner().unwrap_or_else(PoisonError::into_inner);
                let (status, headers) = response_head.unwrap_or_default();
                decode_error(status, headers, body, source)
            }
            ProgenitorError::CommunicationError(error)
            | ProgenitorError::InvalidUpgrade(error)
            | ProgenitorError::ResponseBodyError(error) => error.into(),
            ProgenitorError::InvalidRequest(message) | ProgenitorError::Custom(message) => {
                Error::InvalidRequest(message)
            }
        })
    }
}
