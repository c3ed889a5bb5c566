//! Allowed domains: parsing of entries, and matching of origins.
//!
//! An entry is a host, `example.com`, or its subdomains, `*.example.com`, with a port if it is not the default of the
//! scheme. Entries are stored as browsers write hosts in the `Origin` header: in lower case, international names in
//! ASCII. Matching an origin is a string comparison.

use std::net::Ipv6Addr;

use ringnity_types::ErrorCode;
use url::Host;

use crate::app::{AppError, AppResult, ErrorKind};

/// Whether `origin` matches one of the allowed domains. Anything that is not an http or https origin, such as `null`,
/// matches none.
pub fn origin_allowed(origin: &str, domains: &[String]) -> bool {
    let Some(host) = host_of_origin(origin) else { return false };
    domains.iter().any(|domain| {
        let domain = domain.to_ascii_lowercase();
        match domain.strip_prefix("*.") {
            Some(parent) => {
                host.strip_suffix(parent).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
            }
            None => host == domain,
        }
    })
}

/// All normalized entries that match `origin`.
pub fn matching_entries(origin: &str) -> Vec<String> {
    let Some(host) = host_of_origin(origin) else { return Vec::new() };
    // A host name has at most 127 labels; a header may have more.
    let parents = host.rmatch_indices('.').take(127).map(|(dot, _)| format!("*{}", &host[dot..]));
    let wild: Vec<String> = parents.collect();
    std::iter::once(host).chain(wild.into_iter().rev()).collect()
}

/// Host of an origin, with its port unless it is the default of the scheme.
fn host_of_origin(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let (scheme, rest) = origin.split_once("://")?;
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return None,
    };
    let (host, port) = split_port(rest)?;
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let valid = match literal {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    if !valid {
        return None;
    }
    match port {
        Some(port) if port != default_port => Some(format!("{host}:{port}")),
        _ => Some(host.to_owned()),
    }
}

/// Normalizes an entry.
///
/// # Errors
///
/// What is wrong with the entry.
pub fn normalize(entry: &str) -> Result<String, &'static str> {
    let entry = entry.trim();
    if entry.contains("://") {
        return Err("must be a domain without https://");
    }
    if entry
        .contains(|letter: char| letter.is_whitespace() || letter.is_control() || "/\\?#@%".contains(letter))
    {
        return Err("must be a domain without path, user name or spaces");
    }
    let (wild, rest) = match entry.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, entry),
    };
    let (host, port) = split_port(rest).ok_or("has an invalid port; it must be a number from 1 to 65535")?;
    let host = match Host::parse(host.strip_suffix('.').unwrap_or(host)) {
        Ok(Host::Domain(name)) if name.len() <= 253 && name.split('.').all(is_label) => {
            if wild && !name.contains('.') && name != "localhost" {
                return Err("has a wildcard for a whole top-level domain; use one such as *.example.com");
            }
            name
        }
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) if wild => {
            return Err("has a wildcard for an IP address; remove the *.");
        }
        Ok(Host::Ipv4(address)) => address.to_string(),
        Ok(Host::Ipv6(address)) => format!("[{address}]"),
        Ok(Host::Domain(_)) | Err(_) => {
            return Err("is not a domain; use one such as example.com, *.example.com or localhost:3000");
        }
    };
    let star = if wild { "*." } else { "" };
    Ok(match port {
        // Browsers omit default ports.
        None | Some("80" | "443") => format!("{star}{host}"),
        Some(port) => format!("{star}{host}:{port}"),
    })
}

/// Normalizes a list of entries and removes duplicates. `at` is the JSON pointer of the list in the request.
pub fn normalize_all(entries: &[String], at: &str) -> AppResult<Vec<String>> {
    let (mut normalized, mut errors) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        match normalize(entry) {
            Ok(entry) if normalized.contains(&entry) => {}
            Ok(entry) => normalized.push(entry),
            Err(error) => errors.push(format!("{at}/{index}: {error}")),
        }
    }
    if errors.is_empty() {
        return Ok(normalized);
    }
    let error = AppError::new(
        ErrorKind::Invalid,
        ErrorCode::DeveloperDomainInvalid,
        "Some entries are not valid domains. Use example.com for a host, or *.example.com for its subdomains.",
    );
    Err(errors.into_iter().fold(error, AppError::detail))
}

/// Splits off a port. `None` if the port is invalid.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    let host = match text.find(']') {
        Some(end) => end + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host);
    if rest.is_empty() {
        return Some((host, None));
    }
    let port = rest.strip_prefix(':')?;
    let digits = !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    (digits && port.parse::<u16>().is_ok()).then_some((host, Some(port)))
}

/// Whether this is a label of a host name, in lower case. Underscores are accepted because some hosts have them.
fn is_label(label: &str) -> bool {
    let inside =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origin: &str, domain: &str) -> bool {
        origin_allowed(origin, &["unrelated.example".to_owned(), domain.to_owned()])
    }

    #[test]
    fn matches_the_domain_and_its_wildcard() {
        for (origin, domain) in [
            ("https://shop.example.com", "shop.example.com"),
            ("https://shop.example.com:443", "shop.example.com"),
            ("http://shop.example.com", "shop.example.com"),
            ("http://shop.example.com:80", "shop.example.com"),
            ("https://SHOP.example.com", "shop.EXAMPLE.com"),
            ("https://a.example.com", "*.example.com"),
            ("https://a.b.example.com", "*.example.com"),
            ("http://localhost:5173", "localhost:5173"),
            ("http://app.localhost:3000", "*.localhost:3000"),
            ("https://example.com:8443", "example.com:8443"),
            ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("http://127.0.0.1:3000", "127.0.0.1:3000"),
            ("http://[::1]:3000", "[::1]:3000"),
            ("https://my_shop.example.com", "*.example.com"),
        ] {
            assert!(allowed(origin, domain), "{origin} is on {domain}");
        }
    }

    #[test]
    fn rejects_origins_that_resemble_the_domain() {
        for (origin, domain) in [
            // Names that resemble it.
            ("https://evilexample.com", "example.com"),
            ("https://example.com.evil.io", "example.com"),
            ("https://example.co", "example.com"),
            ("https://www.example.com", "example.com"),
            ("https://example.com", "*.example.com"),
            ("https://evilexample.com", "*.example.com"),
            ("https://evil-example.com", "*.example.com"),
            ("https://a.example.com.evil.io", "*.example.com"),
            ("https://.example.com", "*.example.com"),
            ("https://a..example.com", "*.example.com"),
            ("https://..example.com", "*.example.com"),
            ("https://example.com.", "example.com"),
            ("https://-.example.com", "*.example.com"),
            ("https://bücher.example", "xn--bcher-kva.example"),
            // Other ports.
            ("https://example.com:8443", "example.com"),
            ("https://example.com:80", "example.com"),
            ("http://example.com:443", "example.com"),
            ("https://example.com", "example.com:8443"),
            ("https://a.example.com:8443", "*.example.com"),
            ("https://example.com:0443", "example.com"),
            ("https://example.com:", "example.com"),
            ("https://example.com:99999", "example.com:99999"),
            ("https://example.com:44 3", "example.com"),
            ("https://[::1]:3001", "[::1]:3000"),
            // Other schemes, and what is no origin.
            ("ftp://example.com", "example.com"),
            ("wss://example.com", "example.com"),
            ("file://", "example.com"),
            ("chrome-extension://example.com", "example.com"),
            ("example.com", "example.com"),
            ("//example.com", "example.com"),
            ("https:example.com", "example.com"),
            ("null", "null"),
            ("", ""),
            ("https://", ""),
            ("https://null", "null.example"),
            // Texts that a parser may read in two ways.
            ("https://example.com@evil.io", "*.evil.io"),
            ("https://evil.io@example.com", "example.com"),
            ("https://evil.io/.example.com", "*.example.com"),
            ("https://evil.io?.example.com", "*.example.com"),
            ("https://evil.io#.example.com", "*.example.com"),
            ("https://evil.io\\.example.com", "*.example.com"),
            ("https://evil.io%2f.example.com", "*.example.com"),
            ("https://example.com/", "example.com"),
            ("https://example.com https://evil.io", "example.com"),
            ("https://[::1]evil.example.com", "*.example.com"),
            ("https://*.example.com", "*.example.com"),
            ("https://[example.com]", "[example.com]"),
        ] {
            assert!(!allowed(origin, domain), "{origin} is not on {domain}");
        }
        assert!(!origin_allowed("https://example.com", &[]), "an empty list allows nothing");
    }

    #[test]
    fn normalizes_entries_as_browsers_write_hosts() {
        for (entry, expected) in [
            ("example.com", "example.com"),
            (" Example.COM ", "example.com"),
            ("example.com.", "example.com"),
            ("*.Example.com", "*.example.com"),
            ("example.com:443", "example.com"),
            ("example.com:80", "example.com"),
            ("example.com:8443", "example.com:8443"),
            ("*.example.com:8443", "*.example.com:8443"),
            ("localhost", "localhost"),
            ("localhost:3000", "localhost:3000"),
            ("*.localhost", "*.localhost"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.BÜCHER.example", "*.xn--bcher-kva.example"),
            ("münchen.de:8080", "xn--mnchen-3ya.de:8080"),
            ("日本語.jp", "xn--wgv71a119e.jp"),
            ("ｅxample.com", "example.com"),
            ("my_shop.example.com", "my_shop.example.com"),
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("[::1]:3000", "[::1]:3000"),
            ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ] {
            assert_eq!(normalize(entry).as_deref(), Ok(expected), "{entry}");
            assert_eq!(normalize(expected).as_deref(), Ok(expected), "{expected} is normalized");
        }
    }

    #[test]
    fn matching_entries_match_the_origin() {
        assert_eq!(
            matching_entries("https://a.Example.com:8443"),
            ["a.example.com:8443", "*.example.com:8443", "*.com:8443"]
        );
        for origin in ["https://a.b.example.com:443", "http://localhost:5173", "http://[::1]:3000"] {
            let entries = matching_entries(origin);
            assert!(entries.iter().all(|entry| allowed(origin, entry)), "{entries:?}");
        }
        assert!(matching_entries("null").is_empty());
        let long = matching_entries(&format!("https://{}example.com", "a.".repeat(5000)));
        assert!(long.len() < 130 && long.contains(&"*.example.com".to_owned()), "{long:?}");
    }

    #[test]
    fn matching_entries_decide_like_the_whole_list() {
        let list =
            ["example.com", "*.example.com", "*.b.example.com", "*.localhost:3000", "[::1]:81", "10.0.0.1"]
                .map(|entry| normalize(entry).expect("is a domain"));
        for (origin, allowed) in [
            ("https://example.com", true),
            ("https://EXAMPLE.com:443", true),
            ("https://a.b.example.com", true),
            ("https://a..example.com", false),
            ("https://evilexample.com", false),
            ("https://example.com:8443", false),
            ("http://app.localhost:3000", true),
            ("http://localhost:3000", false),
            ("http://[::1]:81", true),
            ("http://[::1]", false),
            ("http://10.0.0.1", true),
            ("http://1.10.0.0.1", false),
            ("null", false),
        ] {
            let asked = matching_entries(origin);
            let found: Vec<String> = list.iter().filter(|entry| asked.contains(entry)).cloned().collect();
            assert_eq!(origin_allowed(origin, &found), allowed, "{origin}");
            assert_eq!(origin_allowed(origin, &list), allowed, "{origin}");
        }
    }

    #[test]
    fn rejects_invalid_entries() {
        let long = format!("{}.example.com", "a".repeat(64));
        let longer = format!("{}example.com", "abcdefgh.".repeat(30));
        for entry in [
            "",
            " ",
            ".",
            "*",
            "*.",
            "*.*.example.com",
            "**.example.com",
            "a*.example.com",
            "a.*.example.com",
            "*.com",
            "*.127.0.0.1",
            "*.[::1]",
            "https://example.com",
            "example.com/path",
            "//example.com",
            "user@example.com",
            "example.com?",
            "example.com#",
            "exam ple.com",
            "a\tb.example.com",
            "a\0.example.com",
            "example..com",
            ".example.com",
            "example.com..",
            "-a.example.com",
            "a-.example.com",
            "example.com:",
            "example.com:0",
            "example.com:080",
            "example.com:65536",
            "example.com:http",
            "example.com:80:80",
            "example.com:+80",
            "::1",
            "[::1",
            "[evil]",
            "[::1]x",
            "1.2.3.4.5",
            "256.1.1.1",
            "%65xample.com",
            "exa<mple.com",
            "null\\",
            &long,
            &longer,
        ] {
            assert!(normalize(entry).is_err(), "{entry:?} became {:?}", normalize(entry));
        }
    }

    #[test]
    fn entry_matches_its_own_origin_and_is_listed_once() {
        for entry in ["example.com", "Bücher.example", "localhost:3000", "[::1]:81", "10.0.0.1"] {
            let normalized = normalize(entry).expect("is a domain");
            assert!(
                origin_allowed(&format!("https://{normalized}"), std::slice::from_ref(&normalized)),
                "{normalized}"
            );
        }
        let entries = ["Example.com", "b.example", "example.com.", "example.com:443"].map(str::to_owned);
        assert_eq!(
            normalize_all(&entries, "/body/allowedDomains").expect("all"),
            ["example.com", "b.example"]
        );
        let faulty = ["a.example", "https://b.example", "c.example/"].map(str::to_owned);
        let refusal = normalize_all(&faulty, "/body/allowedDomains").expect_err("two are wrong");
        assert_eq!(refusal.code, ErrorCode::DeveloperDomainInvalid);
        assert!(refusal.details[0].starts_with("/body/allowedDomains/1: "), "{:?}", refusal.details);
        assert!(refusal.details[1].starts_with("/body/allowedDomains/2: "), "{:?}", refusal.details);
    }
}
