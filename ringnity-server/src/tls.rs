//! HTTPS from files: certificate chain and key in PEM, taken up again whenever somebody renews them. No other use
//! of TLS lives here.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow, bail};
use dropshot::ConfigTls;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How often the files are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A certificate with its key, and the files they came from.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    /// The handshakes that begin now use it.
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads both files; refuses a key that is not the certificate's.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(Arc::new(load_pair(chain, key, &provider)?));
        Ok(Arc::new(Self { chain: chain.to_owned(), key: key.to_owned(), provider, current }))
    }

    /// What the listener is given.
    pub fn config(self: &Arc<Self>) -> Result<ConfigTls> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(ConfigTls::Dynamic(config))
    }

    /// Takes up the files again whenever they have changed, for as long as it is polled. Files that do not fit
    /// each other leave the certificate that is there: whoever renews them may be between the two.
    pub async fn watch_files(self: Arc<Self>) {
        let mut seen = self.modified_times();
        let mut refused = None;
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let now = self.modified_times();
            if now == seen {
                continue;
            }
            match load_pair(&self.chain, &self.key, &self.provider) {
                Ok(renewed) => {
                    *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(renewed);
                    tracing::info!(certificate = %self.chain.display(), "took up the renewed certificate");
                    seen = now;
                }
                Err(error) if refused != Some(now) => {
                    tracing::warn!(
                        "the certificate has changed but cannot be used, the old one stays: {error:#}"
                    );
                    refused = Some(now);
                }
                Err(_) => {}
            }
        }
    }

    fn modified_times(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|path| std::fs::metadata(path).and_then(|facts| facts.modified()).ok())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn load_pair(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey> {
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| anyhow!("{}: {error}", chain.display()))
        .context("cannot read the certificate of --tls-cert, which must be PEM: the server's own first")?;
    if certificates.is_empty() {
        bail!("{} of --tls-cert holds no certificate in PEM", chain.display());
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow!("{}: {error}", key.display()))
        .context("cannot read the private key of --tls-key, which must be PEM and without a password")?;
    CertifiedKey::from_der(certificates, private, provider).with_context(|| {
        format!("the key {} does not belong to the certificate {}", key.display(), chain.display())
    })
}
