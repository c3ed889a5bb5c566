//! The client: where the server is, what the caller holds, and the one place that every request goes through.
//! Retries and the like will go there too.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use reqwest::Url;

use super::credential::{Anonymous, Credential};
use super::transport::Transport;
use crate::generated::Error;

/// A client that holds a credential of the kind `C`, and offers the operations that this kind opens.
///
/// Cheap to clone; clones, and clients made by [`Client::with_credential`], share one pool of connections.
pub struct Client<C = Anonymous> {
    transport: Transport,
    kind: PhantomData<fn() -> C>,
}

impl<C> Clone for Client<C> {
    fn clone(&self) -> Self {
        Self { transport: self.transport.clone(), kind: PhantomData }
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
        Client { transport: self.transport.with_credential(&credential), kind: PhantomData }
    }
}

impl<C> Client<C> {
    /// Where the server is.
    pub fn base_url(&self) -> &str {
        self.transport.base_url()
    }

    /// What the builders of operations send their requests with.
    #[allow(dead_code, reason = "a contract may have no operations")]
    pub(crate) fn transport(&self) -> Transport {
        self.transport.clone()
    }
}

impl<C: Credential> fmt::Debug for Client<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Client")
            .field("base_url", &self.transport.base_url())
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
        let transport = Transport::new(http, base_url, self.parameters, &Anonymous);
        Ok(Client { transport, kind: PhantomData })
    }
}
