//! What settings mean together: contradictions, and what works but should not be put before people. Looks at the
//! data folder, changes nothing and prints nothing.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{GOOGLE_JWKS_URL, RateLimit, ServeConfig};

/// What was found, each in a line that says what to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// A server with these settings does not start or does not work.
    pub problems: Vec<String>,
    /// It works, and somebody may be sorry.
    pub warnings: Vec<String>,
}

/// Judges settings that are each well-formed.
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
            "trusted-proxy: {proxy} is nobody's address, or everybody's; name the proxies, or leave it out to trust none"
        ));
    }
    if config.private_listen == Some(config.listen) && config.listen.port() != 0 {
        findings
            .problems
            .push(format!("private-listen: {} is the address of listen; choose another port", config.listen));
    }
    if let Err(error) = config.certificate() {
        findings.problems.push(format!("tls-cert, tls-key: {error:#}"));
    }
    let is_public = !config.listen.ip().is_loopback();
    let mut warn = |words: String| findings.warnings.push(words);
    match &config.public_url {
        None if is_public => warn(format!(
            "public-url: is not set, so answers name {}://{}, which others may not reach; say the URL that \
             clients use",
            config.scheme(),
            config.listen
        )),
        Some(url) if is_plain_http(url) => {
            warn(format!(
                "public-url: {url} sends keys and passwords unencrypted, and browsers keep no owner signed in; say https://"
            ));
        }
        _ => {}
    }
    if let Some(url) = config.dashboard_url.as_deref().filter(|url| is_plain_http(url)) {
        warn(format!("dashboard-url: {url} sends sign-ins unencrypted; say https://"));
    }
    let public = config.public_url.as_deref().and_then(host_of);
    if public.is_some_and(|host| !is_local(&host)) && config.base_domain == "localhost" {
        warn(
            "base-domain: is localhost, so tenants have no hosts that others can reach; say the domain below which \
             each has its own, or leave it where nobody uses them"
                .to_owned(),
        );
    }
    if is_public && config.wants_demo() {
        warn("demo: others can reach this server; the demo is for trying things on one machine".to_owned());
    }
    if is_public && config.rate_limit == Some(RateLimit::Off) {
        warn(
            "rate-limit: is off, and with it the limit of failed sign-ins; others can guess passwords"
                .to_owned(),
        );
    }
    if let Some(private) = config.private_listen.filter(|private| !private.ip().is_loopback()) {
        warn(format!(
            "private-listen: {private} can be reached by others, and asks nobody who they are; see that only those who \
             watch the server get there"
        ));
    }
    if config.google_client_id.is_none() && config.google_jwks_url != GOOGLE_JWKS_URL {
        warn("google-jwks-url: does nothing without google-client-id".to_owned());
    }
    findings
}

/// What keeps the server from writing into its folder, if anything does. A folder that is not there yet is made
/// at start, so then it is asked of the one in which that would happen.
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
            format!(", which is to be made in {}", existing.display())
        };
        format!(
            "data-dir: cannot write to {name}{place}: {error}; change its owner, or choose another folder"
        )
    };
    probe_writable(&existing).err().map(describe)
}

/// What is there of the way to a folder.
fn nearest_existing(folder: &Path) -> Option<PathBuf> {
    let whole = std::path::absolute(folder).ok()?;
    whole.ancestors().skip(1).find(|above| above.exists()).map(Path::to_path_buf)
}

/// Tries to write into a folder, and leaves nothing there.
pub fn probe_writable(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".ringnity-probe-{}", std::process::id()));
    std::fs::File::options().write(true).create_new(true).open(&probe)?;
    std::fs::remove_file(probe)
}

fn host_of(url: &str) -> Option<String> {
    let url: http::Uri = url.parse().ok()?;
    url.host().map(|host| host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase())
}

/// Whether that is a name of this very machine. The unspecified address is one: others need another to come here.
fn is_local(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Whether a URL is http to this very machine, where nobody listens in.
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
    fn only_plain_http_to_this_machine_needs_no_secure_cookies() {
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
