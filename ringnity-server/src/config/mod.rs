//! Settings, read once at start.
//!
//! `ServeConfig` is the only list of settings. Flags, environment and file are read through it. A setting is added
//! there and nowhere else.

pub mod check;
pub mod file;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use ipnet::IpNet;
use ringnity_store::{StoreConfig, StoreError};

use crate::providers::google::Google;
use crate::providers::jwks::{FetchError, HttpJwks};
use crate::telemetry::logs::LogFormat;
use crate::tls::Certificate;
use values::{address, domain, keys_url, proxy, rate_limit, seconds, web_url};

/// Google's public keys, from its discovery document.
pub const GOOGLE_JWKS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Location of the database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseConfig {
    /// Folder of the SQLite database and other files; created if missing
    #[arg(long, env = "RINGNITY_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Database URL, such as postgres://user@host/name [default: SQLite in the data folder]
    #[arg(long, env = "RINGNITY_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

impl DatabaseConfig {
    /// The configuration of the store.
    pub fn store(&self) -> Result<StoreConfig, StoreError> {
        match &self.database_url {
            Some(url) => StoreConfig::new(url),
            None => StoreConfig::new(&self.data_dir.join("ringnity.db").to_string_lossy()),
        }
    }
}

/// Settings of `serve`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeConfig {
    /// Address to listen on
    #[arg(long, env = "RINGNITY_LISTEN", default_value = "127.0.0.1:8192", value_name = "ADDR", value_parser = address)]
    pub listen: SocketAddr,
    /// Location of the database.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Address of a private listener for /metrics, /health and /ready [default: none]
    #[arg(long, env = "RINGNITY_PRIVATE_LISTEN", value_name = "ADDR", value_parser = address)]
    pub private_listen: Option<SocketAddr>,
    /// Seconds to keep serving after a stop signal, while /ready fails and load balancers drain the node
    #[arg(long, env = "RINGNITY_STOP_DELAY", default_value = "0", value_name = "SECONDS", value_parser = seconds)]
    pub stop_delay: Duration,
    /// Certificate chain for HTTPS (PEM file); reloaded when it changes
    #[arg(long, env = "RINGNITY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM file)
    #[arg(long, env = "RINGNITY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Format of log lines
    #[arg(long, env = "RINGNITY_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// URL that clients use. Owners' cookies require https unless it is http to this machine [default: http:// or
    /// https:// and ADDR]
    #[arg(long, env = "RINGNITY_PUBLIC_URL", value_name = "URL", value_parser = web_url)]
    pub public_url: Option<String>,
    /// URL of the dashboard, for login responses [default: the public URL]
    #[arg(long, env = "RINGNITY_DASHBOARD_URL", value_name = "URL", value_parser = web_url)]
    pub dashboard_url: Option<String>,
    /// Parent domain of the tenants' host names: SLUG.DOMAIN
    #[arg(long, env = "RINGNITY_BASE_DOMAIN", default_value = "localhost", value_name = "DOMAIN", value_parser = domain)]
    pub base_domain: String,
    /// Google OAuth client id, which enables sign-in with Google for owners [default: disabled]
    #[arg(long, env = "RINGNITY_GOOGLE_CLIENT_ID", value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub google_client_id: Option<String>,
    /// URL of Google's public keys
    #[arg(long, env = "RINGNITY_GOOGLE_JWKS_URL", default_value = GOOGLE_JWKS_URL, value_name = "URL", value_parser = keys_url)]
    pub google_jwks_url: String,
    /// Requests per minute for each credential: "plan" (the limit of the tenant's plan), a number, or "off". Without a
    /// valid credential an IP address may send 600, or that number if larger. "off" also disables the limit of failed
    /// logins [default: plan; 1000000 with --demo]
    #[arg(long, env = "RINGNITY_RATE_LIMIT", value_name = "plan|N|off", value_parser = rate_limit)]
    pub rate_limit: Option<RateLimit>,
    /// Trusted proxy: IP address or range such as 10.0.0.0/8 whose X-Forwarded-For is used; can be repeated
    #[arg(
        long = "trusted-proxy",
        env = "RINGNITY_TRUSTED_PROXIES",
        value_name = "IP",
        value_delimiter = ',',
        value_parser = proxy
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// Seed two demo tenants and print example commands
    #[arg(
        long,
        env = "RINGNITY_DEMO",
        value_name = "true|false",
        action = clap::ArgAction::Set,
        value_parser = clap::builder::BoolishValueParser::new(),
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub demo: bool,
    /// Write the URLs and credentials of the demo to this file as JSON (implies --demo)
    #[arg(long, env = "RINGNITY_DEMO_FILE", value_name = "FILE")]
    pub demo_file: Option<PathBuf>,
}

/// Rate limit of each credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// The limit of the tenant's plan.
    Plan,
    /// Requests per minute.
    PerMinute(u32),
    /// No limit.
    Off,
}

/// Limit in the demo: conformance checks send thousands of requests per minute with one key.
const DEMO_RATE_LIMIT: RateLimit = RateLimit::PerMinute(1_000_000);

impl ServeConfig {
    /// Location of the database.
    pub fn store(&self) -> Result<StoreConfig, StoreError> {
        self.database.store()
    }

    /// The verifier of Google's ID tokens, if sign-in with Google is enabled.
    pub fn google(&self) -> Result<Option<Google>, FetchError> {
        let Some(client_id) = &self.google_client_id else { return Ok(None) };
        let keys = HttpJwks::new(&self.google_jwks_url)?;
        Ok(Some(Google::new(client_id, Arc::new(keys))))
    }

    /// The certificate, if HTTPS is enabled.
    pub fn certificate(&self) -> Result<Option<Arc<Certificate>>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Certificate::load(chain, key).map(Some),
            (None, None) => Ok(None),
            _ => bail!("HTTPS needs a certificate and its key: set both tls-cert and tls-key, or neither"),
        }
    }

    /// URL scheme of the server.
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// Whether to seed the demo.
    pub fn wants_demo(&self) -> bool {
        self.demo || self.demo_file.is_some()
    }

    /// Rate limit of each credential.
    pub fn rate_limit(&self) -> RateLimit {
        let default = if self.wants_demo() { DEMO_RATE_LIMIT } else { RateLimit::Plan };
        self.rate_limit.unwrap_or(default)
    }

    /// The public URLs, given the bound address.
    pub fn urls(&self, bound: SocketAddr) -> Urls {
        let public = self.public_url.clone().unwrap_or_else(|| format!("{}://{bound}", self.scheme()));
        Urls::new(&public, self.dashboard_url.as_deref().unwrap_or(&public), &self.base_domain)
    }
}

/// Public URLs of the server and of the dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// URL of this server, without a trailing slash.
    pub public: String,
    /// URL of the dashboard, without a trailing slash.
    pub dashboard: String,
    /// Whether cookies are `Secure`: always, except with http to this machine.
    pub secure: bool,
    /// Host of the public URL, in lower case.
    public_host: Option<String>,
    /// Origin of the dashboard, in lower case.
    dashboard_origin: Option<String>,
    /// Suffix of the tenants' host names, in lower case: `.` and the base domain.
    below_base_domain: String,
}

impl Urls {
    fn new(public: &str, dashboard: &str, base_domain: &str) -> Self {
        let [public, dashboard] = [public, dashboard].map(|url| url.trim_end_matches('/').to_owned());
        let public_host =
            public.parse().ok().and_then(|url: http::Uri| Some(url.host()?.to_ascii_lowercase()));
        let dashboard_origin = dashboard.split_once("://").map(|(scheme, rest)| {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            format!("{scheme}://{}", &rest[..end]).to_ascii_lowercase()
        });
        Self {
            secure: !check::is_local_http(&public),
            public,
            dashboard,
            public_host,
            dashboard_origin,
            below_base_domain: format!(".{}", base_domain.to_ascii_lowercase()),
        }
    }

    /// Whether `origin` is the origin of the dashboard.
    pub fn is_dashboard(&self, origin: &str) -> bool {
        self.dashboard_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin))
    }

    /// The tenant's slug in a host name (lower case, without port): one label before the base domain.
    pub fn slug_of_host(&self, host: &str) -> Option<String> {
        // The public host belongs to no tenant, even if it is below the base domain.
        if self.public_host.as_deref() == Some(host) {
            return None;
        }
        let label = host.strip_suffix(&self.below_base_domain)?;
        (!label.is_empty() && !label.contains('.')).then(|| label.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashboard_origin_is_scheme_host_and_port() {
        let urls = Urls::new("https://api.example.com", "https://Dash.example.com:8443/app", "example.com");
        assert!(urls.is_dashboard("https://dash.example.com:8443"));
        for origin in ["https://dash.example.com", "http://dash.example.com:8443", "null", ""] {
            assert!(!urls.is_dashboard(origin), "{origin}");
        }
    }

    #[test]
    fn slug_is_the_label_directly_below_the_base_domain() {
        let urls = Urls::new("https://API.example.com:8443/", "https://api.example.com", "Example.com");
        assert_eq!(urls.slug_of_host("acme.example.com").as_deref(), Some("acme"));
        for host in [
            "example.com",
            "a.b.example.com",
            "api.example.com",
            ".example.com",
            "acmeexample.com",
            "acme.example.com.evil.io",
            "127.0.0.1",
            "[::1]",
        ] {
            assert_eq!(urls.slug_of_host(host), None, "{host}");
        }
    }
}
