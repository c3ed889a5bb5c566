//! Parsers of setting values from flags, environment and file. `check` compares settings with each other.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use super::{GOOGLE_JWKS_URL, RateLimit};

pub(super) fn rate_limit(text: &str) -> Result<RateLimit, String> {
    match text {
        "plan" => Ok(RateLimit::Plan),
        "off" => Ok(RateLimit::Off),
        number => match number.parse() {
            Ok(limit @ 1..=1_000_000) => Ok(RateLimit::PerMinute(limit)),
            _ => Err("expected plan, off, or requests per minute from 1 to 1000000".to_owned()),
        },
    }
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, such as 127.0.0.1:8192 or 0.0.0.0:8192".to_owned())
}

/// A single address is a range of one.
pub(super) fn proxy(text: &str) -> Result<IpNet, String> {
    let one = text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
    one.or_else(|_| text.parse())
        .map_err(|_| "expected an IP address or a range, such as 10.0.0.1 or 10.0.0.0/8".to_owned())
}

/// Seconds, at most five minutes.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 0..=300) => Ok(Duration::from_secs(seconds)),
        _ => Err("expected a number of seconds from 0 to 300".to_owned()),
    }
}

pub(super) fn web_url(text: &str) -> Result<String, String> {
    let refused = || "expected a URL with its scheme, such as https://ringnity.example.com".to_owned();
    let url: http::Uri = text.parse().map_err(|_| refused())?;
    let web = matches!(url.scheme_str(), Some("http" | "https"));
    if web && url.host().is_some_and(|host| !host.is_empty()) && url.query().is_none() {
        Ok(text.to_owned())
    } else {
        Err(refused())
    }
}

/// The keys decide who can sign in, so they must not be fetched over plain http.
pub(super) fn keys_url(text: &str) -> Result<String, String> {
    let text = web_url(text)?;
    let url: http::Uri = text.parse().map_err(|_| "is not a URL".to_owned())?;
    let local = url.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme_str() == Some("https") || local {
        Ok(text)
    } else {
        Err(format!("expected an https URL, such as {GOOGLE_JWKS_URL}"))
    }
}

pub(super) fn domain(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
    };
    if text.split('.').all(label) {
        Ok(text.to_owned())
    } else {
        Err("expected a domain without scheme, port and leading dot, such as ringnity.example.com".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_give_an_example() {
        for (refusal, example) in [
            (address("8192").map(drop), "127.0.0.1:8192"),
            (address("localhost:8192").map(drop), "127.0.0.1:8192"),
            (web_url("nonsense").map(drop), "https://"),
            (web_url("ftp://example.com").map(drop), "https://"),
            (web_url("https://").map(drop), "https://"),
            (keys_url("http://keys.example.com/jwks").map(drop), "https"),
            (keys_url("keys").map(drop), "https://"),
            (domain("").map(drop), "ringnity.example.com"),
            (domain(".example.com").map(drop), "ringnity.example.com"),
            (domain("https://example.com").map(drop), "ringnity.example.com"),
        ] {
            let words = refusal.expect_err("is refused");
            assert!(words.contains(example), "{words}");
        }
        assert!(keys_url(GOOGLE_JWKS_URL).is_ok() && keys_url("http://127.0.0.1:9/jwks").is_ok());
        for text in ["", "0", "-1", "1000001", "none"] {
            assert!(rate_limit(text).expect_err("is refused").contains("off"), "{text}");
        }
        for text in ["", "-1", "301", "1s", "0.5"] {
            assert!(seconds(text).expect_err("is refused").contains("300"), "{text}");
        }
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(rate_limit("60"), Ok(RateLimit::PerMinute(60)));
        assert!(address("[::1]:0").is_ok() && domain("localhost").is_ok());
        assert_eq!(web_url("https://example.com/ringnity/").as_deref(), Ok("https://example.com/ringnity/"));
    }
}
