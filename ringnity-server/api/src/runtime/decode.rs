//! Decoding of what a request head carries as text: percent-encoding, cookies, media types.

use cookie::Cookie;
use http::HeaderMap;
use http::header::COOKIE;
use percent_encoding::percent_decode_str;

/// Decodes percent-encoding, and `+` as a space where `plus` is set. `None` when the result is not UTF-8 or
/// contains NUL.
pub fn percent_decode(text: &str, plus: bool) -> Option<String> {
    let spaced = if plus && text.contains('+') { text.replace('+', " ") } else { text.to_owned() };
    let decoded = percent_decode_str(&spaced).decode_utf8().ok()?.into_owned();
    (!decoded.contains('\0')).then_some(decoded)
}

/// The pairs of a query string, not yet decoded.
pub fn query_pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The values of the cookies with that name, in the order of the request. A value that is not UTF-8 is `None`.
pub fn cookies(headers: &HeaderMap, name: &str) -> Vec<Option<String>> {
    let lines = headers.get_all(COOKIE).iter();
    // Cookies of other applications need not be UTF-8, so each pair is decoded by itself.
    let pairs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs
        .filter_map(|pair| {
            let is_utf8 = std::str::from_utf8(pair).is_ok();
            let cookie = Cookie::parse(String::from_utf8_lossy(pair).into_owned()).ok()?;
            (cookie.name() == name).then(|| is_utf8.then(|| cookie.value().to_owned()))
        })
        .collect()
}

/// A media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the media type `actual` matches `documented`, which may be a range such as `image/*` or `*/*`.
pub fn essence_matches(documented: &str, actual: &str) -> bool {
    let documented = essence(documented);
    documented == actual
        || documented == "*/*"
        || documented
            .strip_suffix('*')
            .is_some_and(|prefix| prefix.ends_with('/') && actual.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn finds_cookies_beside_those_of_other_applications() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_bytes(b"theirs=\xff\xfe; session=one").expect("is a value"));
        headers.append(COOKIE, HeaderValue::from_static("session=two=2;sessions=three; session"));
        assert_eq!(cookies(&headers, "session"), [Some("one".to_owned()), Some("two=2".to_owned())]);
        assert_eq!(cookies(&headers, "theirs"), [None]);
        assert_eq!(cookies(&headers, "absent"), []);
    }
}
