//! The address of a client, also behind proxies.

use std::net::{IpAddr, SocketAddr};

use ringnity_api::RequestHead;

/// The header in which proxies list the addresses that a request came through.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: the peer of the connection or, where that is a trusted proxy, the last address in
/// `X-Forwarded-For` that is none.
pub(super) fn client_address<S>(head: &RequestHead<S>, trusted_proxies: &[ipnet::IpNet]) -> IpAddr {
    let mut address = head.remote_ip().to_canonical();
    let forwarded = head.headers().get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|line| line.split(',')).collect();
    for hop in hops.into_iter().rev() {
        if !trusted_proxies.iter().any(|proxies| proxies.contains(&address)) {
            break;
        }
        let Some(before) = hop_address(hop) else { break };
        address = before.to_canonical();
    }
    address
}

/// The address of one entry of `X-Forwarded-For`. Some proxies add the port, put IPv6 addresses in brackets, or quote
/// the entry.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let hop = hop.strip_prefix('"').and_then(|hop| hop.strip_suffix('"')).unwrap_or(hop);
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_ports_brackets_and_quotes() {
        for (entry, address) in [
            (" 203.0.113.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("\"203.0.113.9:4711\" ", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]\"", "2001:db8::1"),
        ] {
            assert_eq!(hop_address(entry), address.parse().ok(), "{entry}");
        }
        for none in ["", "unknown", "_hidden", "203.0.113.9:", ":80", "[2001:db8::1", "2001:db8::1]:80", "\""]
        {
            assert_eq!(hop_address(none), None, "{none}");
        }
    }
}
