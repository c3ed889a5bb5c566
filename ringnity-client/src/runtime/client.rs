//! [`Client`] and its builder.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use reqwest::Url;

use super::credential::{Anonymous, Credential};
use super::transport::Transport;
use crate::generated::Error;

/// Client for the server's API. It has one method for each operation that the credential `C` may call.
///
/// Each method returns a builder; call `send().await` on it to send the request. Operations that need another
/// credential are not methods of this type, so calling them does not compile.
///
/// A client is cheap to clone. Clones, and clients made by [`Client::with_credential`], share a connection pool.
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
    /// Creates a client without a credential, with default settings.
    ///
    /// `base_url` is the URL that the contract's paths are appended to. Usually it is the origin of the server,
    /// such as `http://127.0.0.1:8192`; it may have a path if the server is behind a prefix.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidRequest`] if `base_url` is not an `http` or `https` URL, or has a query or fragment.
    /// [`Error::Transport`] if the TLS backend cannot be initialized.
    pub fn new(base_url: impl Into<String>) -> Result<Self, Error> {
        Self::builder(base_url).build()
    }

    /// Starts to configure a client. See [`Client::new`] for `base_url`.
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
    /// Returns a client that authenticates with `credential` and shares this client's connections and settings.
    pub fn with_credential<D: Credential>(&self, credential: D) -> Client<D> {
        Client { transport: self.transport.with_credential(&credential), kind: PhantomData }
    }
}

impl<C> Client<C> {
    /// URL that the contract's paths are appended to, without a trailing slash.
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

/// Settings for a [`Client`]. Created by [`Client::builder`].
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
    /// Sets the total time for a request, from connecting to the end of the response body.
    ///
    /// `None` disables the timeout. Default: 60 seconds. A request that takes longer fails with
    /// [`Error::Transport`], and [`Error::is_timeout`] is true.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets the time for connecting to the server, TLS handshake included.
    ///
    /// `None` disables the timeout. Default: 10 seconds.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.connect_timeout = timeout.into();
        self
    }

    /// Sets the `User-Agent` header. Default: name and version of this crate.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Uses an existing reqwest client, for example one with a proxy or custom certificates.
    ///
    /// The timeouts and the user agent set on this builder are then ignored. Build the client with
    /// `redirect(reqwest::redirect::Policy::none())` if you call operations that respond with a redirect;
    /// otherwise reqwest follows it.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// Sets a default for the optional query or header parameter `name` of every operation that has one.
    ///
    /// A value set on the operation's builder takes precedence.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Creates the client. Use [`Client::with_credential`] to authenticate.
    ///
    /// # Errors
    ///
    /// See [`Client::new`].
    pub fn build(self) -> Result<Client<Anonymous>, Error> {
        let base_url = self.base_url.trim_end_matches('/').to_owned();
        let url = Url::parse(&base_url).map_err(|error| {
            Error::InvalidRequest(format!("{base_url:?} is not a valid base URL: {error}"))
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() || url.fragment().is_some() {
            let problem = "use an http or https URL without a query or fragment";
            return Err(Error::InvalidRequest(format!("{base_url:?} is not a valid base URL: {problem}")));
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
