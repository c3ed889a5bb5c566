//! What an operator sets, and what follows from it. Read once at start.
//!
//! `ServeConfig` is the one list of settings: flags, environment and file are read by it, and whatever tells about
//! settings asks it. A setting is added there and nowhere else. No rules of the business, no printing.

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

/// Where Google has its public keys, as its discovery document says.
pub const GOOGLE_JWKS_URL: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// Where the data is: what every command that looks at it has to know.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseConfig {
    /// Folder for the SQLite database and other files; made when it is not there
    #[arg(long, env = "RINGNITY_DATA_DIR", default_value = "data", value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Database to use instead of SQLite in the data folder: postgres://user@host/name
    #[arg(long, env = "RINGNITY_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

impl DatabaseConfig {
    /// What the store needs to know of it.
    pub fn store(&self) -> Result<StoreConfig, StoreError> {
        match &self.database_url {
            Some(url) => StoreConfig::new(url),
            None => StoreConfig::new(&self.data_dir.join("ringnity.db").to_string_lossy()),
        }
    }
}

/// Settings of `serve`: all there are.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeConfig {
    /// Address to listen on
    #[arg(long, env = "RINGNITY_LISTEN", default_value = "127.0.0.1:8192", value_name = "ADDR", value_parser = address)]
    pub listen: SocketAddr,
    /// Where the data is.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Address of a private listener with /metrics, /health and /ready [default: none]
    #[arg(long, env = "RINGNITY_PRIVATE_LISTEN", value_name = "ADDR", value_parser = address)]
    pub private_listen: Option<SocketAddr>,
    /// Seconds to go on serving when told to stop, while /ready says no and a load balancer looks elsewhere
    #[arg(long, env = "RINGNITY_STOP_DELAY", default_value = "0", value_name = "SECONDS", value_parser = seconds)]
    pub stop_delay: Duration,
    /// Serve HTTPS with the certificate chain in this PEM file; a renewed one is taken up by itself
    #[arg(long, env = "RINGNITY_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key, in a PEM file
    #[arg(long, env = "RINGNITY_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// How log lines look
    #[arg(long, env = "RINGNITY_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// URL under which clients reach this server. Unless it is http to this machine, browsers keep owners signed in
    /// over https only [default: http:// or https:// and ADDR]
    #[arg(long, env = "RINGNITY_PUBLIC_URL", value_name = "URL", value_parser = web_url)]
    pub public_url: Option<String>,
    /// URL of the dashboard that sign-in answers point to [default: the public URL]
    #[arg(long, env = "RINGNITY_DASHBOARD_URL", value_name = "URL", value_parser = web_url)]
    pub dashboard_url: Option<String>,
    /// Domain under which each tenant has a host of its own: SLUG.DOMAIN
    #[arg(long, env = "RINGNITY_BASE_DOMAIN", default_value = "localhost", value_name = "DOMAIN", value_parser = domain)]
    pub base_domain: String,
    /// OAuth client id under which owners sign in with Google [default: they cannot]
    #[arg(long, env = "RINGNITY_GOOGLE_CLIENT_ID", value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub google_client_id: Option<String>,
    /// Where Google's public keys are
    #[arg(long, env = "RINGNITY_GOOGLE_JWKS_URL", default_value = GOOGLE_JWKS_URL, value_name = "URL", value_parser = keys_url)]
    pub google_jwks_url: String,
    /// Requests a minute for each credential: "plan" for what the tenant's plan says, a number, or "off". An address
    /// without an accepted credential may send 600, or that number if it is larger; "off" switches that and the limit
    /// of failed sign-ins off too [default: plan; with --demo, more than anybody sends]
    #[arg(long, env = "RINGNITY_RATE_LIMIT", value_name = "plan|N|off", value_parser = rate_limit)]
    pub rate_limit: Option<RateLimit>,
    /// Address of a proxy whose X-Forwarded-For is believed, or a range of them such as 10.0.0.0/8; may be given
    /// several times
    #[arg(
        long = "trusted-proxy",
        env = "RINGNITY_TRUSTED_PROXIES",
        value_name = "IP",
        value_delimiter = ',',
        value_parser = proxy
    )]
    pub trusted_proxies: Vec<IpNet>,
    /// Seed a demo tenant and a second one, and print what to try
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
    /// Write the demo's addresses and credentials into this file as JSON (implies --demo)
    #[arg(long, env = "RINGNITY_DEMO_FILE", value_name = "FILE")]
    pub demo_file: Option<PathBuf>,
}

/// How often a credential may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// As often as the tenant's plan says.
    Plan,
    /// So many times a minute.
    PerMinute(u32),
    /// As often as it likes.
    Off,
}

/// The limit of a demo: checkers send thousands of requests a minute with one key.
const DEMO_RATE_LIMIT: RateLimit = RateLimit::PerMinute(1_000_000);

impl ServeConfig {
    /// Where the database is.
    pub fn store(&self) -> Result<StoreConfig, StoreError> {
        self.database.store()
    }

    /// What judges Google's ID tokens, when sign-in with Google is wanted.
    pub fn google(&self) -> Result<Option<Google>, FetchError> {
        let Some(client_id) = &self.google_client_id else { return Ok(None) };
        let keys = HttpJwks::new(&self.google_jwks_url)?;
        Ok(Some(Google::new(client_id, Arc::new(keys))))
    }

    /// What HTTPS is served with, where it is.
    pub fn certificate(&self) -> Result<Option<Arc<Certificate>>> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(chain), Some(key)) => Certificate::load(chain, key).map(Some),
            (None, None) => Ok(None),
            _ => bail!("HTTPS needs both a certificate and its key: set tls-cert and tls-key, or neither"),
        }
    }

    /// Whether clients are to come by `http` or by `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() { "https" } else { "http" }
    }

    /// Whether the demo was asked for.
    pub fn wants_demo(&self) -> bool {
        self.demo || self.demo_file.is_some()
    }

    /// How often a credential may ask.
    pub fn rate_limit(&self) -> RateLimit {
        let default = if self.wants_demo() { DEMO_RATE_LIMIT } else { RateLimit::Plan };
        self.rate_limit.unwrap_or(default)
    }

    /// The addresses that answers name, once it is known which port was bound.
    pub fn urls(&self, bound: SocketAddr) -> Urls {
        let public = self.public_url.clone().unwrap_or_else(|| format!("{}://{bound}", self.scheme()));
        Urls::new(&public, self.dashboard_url.as_deref().unwrap_or(&public), &self.base_domain)
    }
}

/// Addresses under which people reach this server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Urls {
    /// Origin of this server, without a slash at the end.
    pub public: String,
    /// Where the dashboard is, without a slash at the end.
    pub dashboard: String,
    /// Whether cookies insist on https: everywhere but on the developer's own machine.
    pub secure: bool,
    /// Host in the public URL, in lower case.
    public_host: Option<String>,
    /// Origin of the dashboard's pages, in lower case.
    dashboard_origin: Option<String>,
    /// What stands behind a slug in the hosts of tenants, in lower case.
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

    /// Whether `origin` is where the dashboard's pages come from.
    pub fn is_dashboard(&self, origin: &str) -> bool {
        self.dashboard_origin.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(origin))
    }

    /// The tenant's slug in a host without port, in lower case: one label before the base domain.
    pub fn slug_of_host(&self, host: &str) -> Option<String> {
        // Where everybody comes is nobody's host, also when it lies below the base domain.
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
    fn the_dashboards_origin_is_its_scheme_host_and_port() {
        let urls = Urls::new("https://api.example.com", "https://Dash.example.com:8443/app", "example.com");
        assert!(urls.is_dashboard("https://dash.example.com:8443"));
        for origin in ["https://dash.example.com", "http://dash.example.com:8443", "null", ""] {
            assert!(!urls.is_dashboard(origin), "{origin}");
        }
    }

    #[test]
    fn a_host_names_a_tenant_only_right_below_the_base_domain() {
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
