//! The public keys of somebody who signs tokens: a JWK set under an address that the operator chose.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A key set is a few kilobytes; whatever is longer is none.
const MAX_BYTES: usize = 256 * 1024;

/// Somebody waits at a sign-in page.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The other side does not answer, or not with a success.
    #[error("the key set cannot be fetched: {0}")]
    Http(#[from] reqwest::Error),
    /// It goes on and on.
    #[error("the key set is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It is no JWK set.
    #[error("the key set cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// It was asked for moments ago, in vain.
    #[error("the key set could not be fetched moments ago and is not asked for again yet")]
    RecentlyFailed,
}

/// A key set on its way.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// Where a JWK set comes from.
pub trait JwksSource: Send + Sync {
    /// The document as it is now.
    fn fetch(&self) -> FetchFuture<'_>;
}

/// A JWK set under a URL.
pub struct HttpJwks {
    url: String,
    client: reqwest::Client,
}

impl HttpJwks {
    /// The key set under `url`, which the operator vouches for: it is not followed to anywhere else.
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
