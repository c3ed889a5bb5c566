//! How a request without a credential names its tenant. The server decides which hint counts.

use crate::names::parameters::{PUBLIC_KEY_QUERY, TENANT_PUBLIC_KEY_HEADER, TENANT_SLUG_QUERY};
use crate::runtime::RequestHead;

/// What a request says about its tenant, in order of precedence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantHints {
    /// Host without port, in lower case: `{slug}.<base domain>`.
    pub host: Option<String>,
    /// Public widget key, from its header or, as older installations send it, the query.
    pub public_key: Option<String>,
    /// Slug, from the query.
    pub slug: Option<String>,
}

impl TenantHints {
    /// Reads the hints of a request.
    pub fn of<S>(head: &RequestHead<S>) -> Self {
        let non_empty = |value: Option<String>| value.filter(|text| !text.is_empty());
        Self {
            host: non_empty(head.host().map(without_port)),
            public_key: non_empty(head.header(TENANT_PUBLIC_KEY_HEADER).map(str::to_owned))
                .or_else(|| non_empty(head.query(PUBLIC_KEY_QUERY))),
            slug: non_empty(head.query(TENANT_SLUG_QUERY)),
        }
    }
}

fn without_port(host: &str) -> String {
    let end = match host.rfind(':') {
        // The colons of an IPv6 address are inside its brackets.
        Some(colon) if !host[colon..].contains(']') => colon,
        _ => host.len(),
    };
    host[..end].to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_host_is_compared_without_its_port() {
        assert_eq!(without_port("Acme.localhost:8192"), "acme.localhost");
        assert_eq!(without_port("acme.localhost"), "acme.localhost");
        assert_eq!(without_port("[::1]:8192"), "[::1]");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
