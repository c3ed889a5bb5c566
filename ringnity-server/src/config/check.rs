//! Checks across settings: contradictions, and settings that work but are unsafe. Reads the data folder; changes and
//! prints nothing.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{GOOGLE_JWKS_URL, RateLimit, ServeConfig};

/// Results, one line each that says what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The server does not start or does not work with these settings.
    pub problems: Vec<String>,
    /// The server works, but the setting is unsafe or useless.
    pub warnings: Vec<String>,
}

/// Checks settings that are each well-formed.
pub fn check(config: &ServeConfig) -> Findings {
    let mut findings = Findings::default();
    if let Err(error) = config.store() {
        findings.problems.push(format!("database-url: {error}"));
    }
    if config.database.database_url.is_none() || config.wants_demo() {
        findings.problems.extend(data_dir_problem(&config.database.data_dir));
    }
    for proxy in config.trusted_proxies.iter().filter(|proxy| proxy.addr().is_unspecified()) {
        findings.problems.push(format!(
            "trusted-proxy: {proxy} is an unspecified address; list your proxies or omit the setting"
        ));
    }
    if config.private_listen == Some(config.listen) && config.listen.port() != 0 {
        findings.problems.push(format!(
            "private-listen: {} is also the address of listen; choose another port",
            config.listen
        ));
    }
    if let Err(error) = config.certificate() {
        findings.problems.push(format!("tls-cert, tls-key: {error:#}"));
    }
    let is_public = !config.listen.ip().is_loopback();
    let mut warn = |words: String| findings.warnings.push(words);
    match &config.public_url {
        None if is_public => warn(format!(
            "public-url: is not set, so responses contain {}://{}, which clients may not reach; set the URL \
             that clients use",
            config.scheme(),
            config.listen
        )),
        Some(url) if is_plain_http(url) => {
            warn(format!(
                "public-url: {url} sends keys and passwords unencrypted, and browsers reject the owners' cookies; use https://"
            ));
        }
        _ => {}
    }
    if let Some(url) = config.dashboard_url.as_deref().filter(|url| is_plain_http(url)) {
        warn(format!("dashboard-url: {url} sends passwords unencrypted; use https://"));
    }
    let public = config.public_url.as_deref().and_then(host_of);
    if public.is_some_and(|host| !is_local(&host)) && config.base_domain == "localhost" {
        warn(
            "base-domain: is localhost, so the host names of tenants work only on this machine; set the parent domain of \
             these host names, or ignore this if you do not use them"
                .to_owned(),
        );
    }
    if is_public && config.wants_demo() {
        warn("demo: this server is reachable from other machines; use the demo only on localhost".to_owned());
    }
    if is_public && config.rate_limit == Some(RateLimit::Off) {
        warn(
            "rate-limit: is off, which also disables the limit of failed logins; passwords can be guessed"
                .to_owned(),
        );
    }
    if let Some(private) = config.private_listen.filter(|private| !private.ip().is_loopback()) {
        warn(format!(
            "private-listen: {private} is reachable from other machines and needs no credentials; restrict access with a \
             firewall"
        ));
    }
    if config.google_client_id.is_none() && config.google_jwks_url != GOOGLE_JWKS_URL {
        warn("google-jwks-url: does nothing without google-client-id".to_owned());
    }
    findings
}

/// Why the server cannot write to the data folder. If the folder does not exist yet, its nearest existing parent is
/// checked, because the server creates the folder when it starts.
fn data_dir_problem(folder: &Path) -> Option<String> {
    let name = folder.display();
    let existing = match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => folder.to_owned(),
        Ok(_) => return Some(format!("data-dir: {name} is a file; choose a folder")),
        Err(_) => nearest_existing(folder)?,
    };
    let describe = |error: std::io::Error| {
        let place = if existing == folder {
            String::new()
        } else {
            format!(", which would be created in {}", existing.display())
        };
        format!("data-dir: cannot write to {name}{place}: {error}; change its owner or choose another folder")
    };
    probe_writable(&existing).err().map(describe)
}

/// The nearest parent that exists.
fn nearest_existing(folder: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(folder).ok()?;
    whole.ancestors().skip(1).find(|above| above.exists()).map(Path::to_path_buf)
}

/// Creates and removes a file to check that a folder is writable.
pub fn probe_writable(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".ringnity-probe-{}", std::process::id()));
    std::fs::File::options().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}

fn host_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    url.host().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase())
}

/// Whether the host is this machine. The unspecified address counts: other machines cannot use it.
fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Whether a URL is http to this machine, where the connection cannot be intercepted.
pub fn is_local_http(url: &str) -> bool {
    url.starts_with("http://") && host_of(url).is_some_and(|host| is_local(&host))
}

fn is_plain_http(url: &str) -> bool {
    url.starts_with("http://") && host_of(url).is_some_and(|host| !is_local(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_http_needs_no_secure_cookies() {
        for url in [
            "http://127.0.0.1:8192",
            "http://localhost:8192",
            "http://demo.localhost",
            "http://[::1]:1",
            "http://0.0.0.0:8192",
        ] {
            assert!(is_local_http(url), "{url}");
        }
        for url in [
            "https://localhost",
            "http://chat.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "",
        ] {
            assert!(!is_local_http(url), "{url}");
        }
    }
}
