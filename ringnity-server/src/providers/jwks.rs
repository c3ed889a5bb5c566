//! Fetches a JWK set from a URL that the operator configured.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Longest accepted key set; a real one has a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;

/// Timeout of a fetch: a login is waiting for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the key set is not available.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No response, or an error status.
    #[error("cannot fetch the key set: {0}")]
    Http(#[from] reqwest::Error),
    /// The response is too long.
    #[error("the key set is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// The response is not a JWK set.
    #[error("cannot parse the key set: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// A fetch failed moments ago.
    #[error("fetching the key set failed moments ago; it is not retried yet")]
    RecentlyFailed,
}

/// A fetch in progress.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// A source of a JWK set.
pub trait JwksSource: Send + Sync {
    /// Fetches the document.
    fn fetch(&self) -> FetchFuture<'_>;
}

/// A JWK set under a URL.
pub struct HttpJwks {
    url: String,
    client: reqwest::Client,
}

impl HttpJwks {
    /// The key set at `url`. Redirects are not followed.
    pub fn new(url: impl Into<String>) -> Result<Self, FetchError> {
        let client = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { url: url.into(), client })
    }

    async fn get(&self) -> Result<Vec<u8>, FetchError> {
        let mut response = self.client.get(&self.url).send().await?.error_for_status()?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if document.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLong);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

impl JwksSource for HttpJwks {
    fn fetch(&self) -> FetchFuture<'_> {
        Box::pin(self.get())
    }
}
