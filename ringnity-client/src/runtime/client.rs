//! The client: where the server is, what the caller holds, and the one place that every request goes through.
//! Retries and the like will go there too.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Request, Url};
use tracing::Instrument as _;

use super::credential::{Anonymous, Credential, CredentialPlacement};
use super::operation::{Operation, ParameterLocation};
use super::progenitor::ProgenitorClient;
use super::request::OperationRequest;
use super::response::request_id;
use crate::generated::Error;

/// A client that holds a credential of the kind `C`, and offers the operations that this kind opens.
///
/// Cheap to clone; clones, and clients made by [`Client::with_credential`], share one pool of connections.
pub struct Client<C = Anonymous> {
    core: Core,
    kind: PhantomData<fn() -> C>,
}

impl<C> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self { core: self.core.clone(), kind: PhantomData }
    }
}

impl Client<Anonymous> {
    /// A client without a credential for the server at `base_url`, with the usual settings.
    ///
    /// `base_url` is the server's origin, such as `http://127.0.0.1:8192`; the paths of the contract follow it.
    pub fn new(base_url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// A client without a credential, to be set up.
    pub fn builder(base_url: impl Into<String>) -> ClientBuilder {
        ClientBuilder {
            base_url: base_url.into(),
            timeout: Some(Duration::from_secs(60)),
            connect_timeout: Some(Duration::from_secs(10)),
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).to_owned(),
            http: None,
            parameters: Vec::new(),
        }
    }
}

impl<C: Credential> Client<C> {
    /// A client with another credential on the same connections.
    pub fn with_credential<D: Credential>(&self, credential: D) -> Client<D> {
        let credential = AttachedCredential { kind: D::KIND, placement: credential.placement() };
        let core = Core { shared: self.core.shared.clone(), credential: Arc::new(credential) };
        Client { core, kind: PhantomData }
    }
}

impl<C> Client<C> {
    /// Where the server is.
    pub fn base_url(&self) -> &str {
        &self.core.shared.base_url
    }

    /// What calls hold on to.
    #[allow(dead_code, reason = "a contract may have no operations")]
    pub(crate) fn core(&self) -> Core {
        self.core.clone()
    }
}

impl<C: Credential> fmt::Debug for Client<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base_url", &self.core.shared.base_url)
            .field("credential", &C::KIND)
            .finish_non_exhaustive()
    }
}

/// Settings of a client to be.
#[must_use = "settings do nothing until `build` is called"]
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    base_url: String,
    timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    user_agent: String,
    http: Option<reqwest::Client>,
    parameters: Vec<(String, String)>,
}

impl ClientBuilder {
    /// How long a call may take from start to end of body; `None` for as long as it likes. Default: a minute.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// How long connecting may take. Default: ten seconds.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// What the client calls itself. Default: this crate's name and version.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Uses a reqwest client of your own: proxies, certificates, middleware of the connection.
    ///
    /// Its own timeouts and user agent count then, not the ones set here. Build it with
    /// `redirect(reqwest::redirect::Policy::none())` if you call operations that answer with a redirect:
    /// otherwise it follows them.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// A value for every optional query or header parameter called `name` that a call leaves unset.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// The client, without a credential; [`Client::with_credential`] gives it one.
    pub fn build(self) -> Result<Client<Anonymous>, Error> {
        let base_url = self.base_url.trim_end_matches('/').to_owned();
        let url = Url::parse(&base_url)
            .map_err(|error| Error::InvalidRequest(format!("{base_url:?} is not a base URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            let problem = "it must be http or https and end before any query";
            return Err(Error::InvalidRequest(format!("{base_url:?} is not a base URL: {problem}")));
        }
        let http = match self.http {
            Some(http) => http,
            None => {
                let mut builder = reqwest::Client::builder()
                    .redirect(reqwest::redirect::Policy::none())
                    .user_agent(self.user_agent);
                if let Some(timeout) = self.timeout {
                    builder = builder.timeout(timeout);
                }
                if let Some(timeout) = self.connect_timeout {
                    builder = builder.connect_timeout(timeout);
                }
                builder.build()?
            }
        };
        let shared = Shared { http, base_url, parameters: self.parameters };
        let credential = AttachedCredential { kind: Anonymous::KIND, placement: Anonymous.placement() };
        let core = Core { shared: Arc::new(shared), credential: Arc::new(credential) };
        Ok(Client { core, kind: PhantomData })
    }
}

struct Shared {
    http: reqwest::Client,
    base_url: String,
    parameters: Vec<(String, String)>,
}

struct AttachedCredential {
    kind: &'static str,
    placement: CredentialPlacement,
}

/// What a call holds on to: connections and credential.
#[derive(Clone)]
pub(crate) struct Core {
    shared: Arc<Shared>,
    credential: Arc<AttachedCredential>,
}

#[allow(dead_code, reason = "a contract may need only one of the two ways to call")]
impl Core {
    /// Calls that progenitor wrote.
    pub(crate) fn progenitor(self, operation: &'static Operation) -> ProgenitorClient {
        ProgenitorClient::new(self.shared.base_url.clone(), self.shared.http.clone(), self, operation)
    }

    /// A call put together by hand.
    pub(crate) fn request(self, operation: &'static Operation) -> OperationRequest {
        OperationRequest::new(self, operation)
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// Adds to a request what the caller need not say each time: credential and client-wide parameters.
    pub(crate) fn prepare(&self, operation: &Operation, request: &mut Request) -> Result<(), Error> {
        for (name, value) in &self.shared.parameters {
            let Some(parameter) = operation
                .parameters
                .iter()
                .find(|parameter| !parameter.required && parameter.name.eq_ignore_ascii_case(name))
            else {
                continue;
            };
            match parameter.location {
                ParameterLocation::Query
                    if !request.url().query_pairs().any(|(key, _)| key == parameter.name) =>
                {
                    request.url_mut().query_pairs_mut().append_pair(parameter.name, value);
                }
                ParameterLocation::Header if !request.headers().contains_key(parameter.name) => {
                    let header = HeaderName::from_bytes(parameter.name.as_bytes());
                    let (Ok(header), Ok(value)) = (header, HeaderValue::from_str(value)) else {
                        return Err(Error::InvalidRequest(format!(
                            "{name}: {value:?} cannot travel in a header"
                        )));
                    };
                    request.headers_mut().insert(header, value);
                }
                _ => {}
            }
        }
        // A secret goes only where the contract asks for it.
        if operation.credentials.contains(&self.credential.kind) {
            match &self.credential.placement {
                CredentialPlacement::None => {}
                CredentialPlacement::Header(name, value) => {
                    request.headers_mut().append(name.clone(), value.clone());
                }
                CredentialPlacement::Query(name, secret) => {
                    request.url_mut().query_pairs_mut().append_pair(name, secret.expose());
                }
                CredentialPlacement::Invalid(problem) => {
                    return Err(Error::InvalidRequest((*problem).to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Sends a request, inside a span named after the operation.
    pub(crate) async fn execute(
        &self,
        operation: &Operation,
        request: Request,
    ) -> reqwest::Result<reqwest::Response> {
        let span = tracing::info_span!(
            "request",
            operation = operation.id,
            method = operation.method,
            path = operation.path,
            status = tracing::field::Empty,
            request_id = tracing::field::Empty,
        );
        async {
            let result = self.shared.http.execute(request).await.map_err(reqwest::Error::without_url);
            match &result {
                Ok(response) => {
                    let span = tracing::Span::current();
                    span.record("status", response.status().as_u16());
                    if let Some(id) = request_id(response.headers()) {
                        span.record("request_id", id);
                    }
                    tracing::debug!("answered");
                }
                Err(error) => tracing::debug!(%error, "no answer"),
            }
            result
        }
        .instrument(span)
        .await
    }
}
