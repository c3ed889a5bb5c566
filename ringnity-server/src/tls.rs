//! HTTPS of the listener: certificate chain and key from PEM files, reloaded when they change.

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

/// How often the files are checked for changes.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A certificate with its key, and the files they came from.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    /// Used by new handshakes.
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be read or the key does not belong to the certificate.
    pub fn load(chain: &Path, key: &Path) -> Result<Arc<Self>> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = RwLock::new(Arc::new(load_pair(chain, key, &provider)?));
        Ok(Arc::new(Self { chain: chain.to_owned(), key: key.to_owned(), provider, current }))
    }

    /// The TLS configuration of the listener.
    pub fn config(self: &Arc<Self>) -> Result<ConfigTls> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(ConfigTls::Dynamic(config))
    }

    /// Reloads the files whenever they change, until dropped. While they do not match, for example between the writes
    /// of a renewal, the current certificate stays in use.
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
                    tracing::info!(certificate = %self.chain.display(), "reloaded the certificate");
                    seen = now;
                }
                Err(error) if refused != Some(now) => {
                    tracing::warn!(
                        "cannot load the changed certificate, the old one stays in use: {error:#}"
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
        .context(
            "cannot read the certificate of --tls-cert; it must be PEM, with the server certificate first",
        )?;
    if certificates.is_empty() {
        bail!("{} of --tls-cert contains no PEM certificate", chain.display());
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| anyhow!("{}: {error}", key.display()))
        .context("cannot read the private key of --tls-key; it must be PEM without a password")?;
    CertifiedKey::from_der(certificates, private, provider).with_context(|| {
        format!("the key {} does not belong to the certificate {}", key.display(), chain.display())
    })
}
