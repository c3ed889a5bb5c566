//! Texts with a format, a length or a pattern, and texts that violate a format.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

/// Letters of ordinary texts.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// Characters that often break code: quotes, escapes, markup, line breaks, multi-byte characters.
const UNUSUAL: [char; 20] = [
    ' ',
    '"',
    '\'',
    '\\',
    '/',
    '<',
    '&',
    '%',
    '{',
    '\n',
    '\t',
    '\u{7f}',
    'é',
    'ß',
    'ø',
    'ж',
    '漢',
    '\u{2028}',
    '🙂',
    '\u{10fffd}',
];

/// An ordinary text with this format.
pub fn sample(format: Option<&str>) -> &'static str {
    match format.unwrap_or_default() {
        "date-time" => "2024-02-29T12:30:45Z",
        "date" => "2024-02-29",
        "time" => "12:30:45Z",
        "duration" => "P1DT12H",
        "email" | "idn-email" => "ada@example.com",
        "hostname" | "idn-hostname" => "host.example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "iri" => "https://example.com/path?query=1",
        "uri-reference" | "iri-reference" => "/path?query=1",
        "uri-template" => "/path/{id}",
        "uuid" => "0190c2f4-7b1a-7c3d-8e5f-0123456789ab",
        "json-pointer" => "/a/0",
        "relative-json-pointer" => "1/a",
        "regex" => "^a+$",
        "byte" => "dGV4dA==",
        _ => "text",
    }
}

/// Texts that violate a format; empty when the format asserts nothing.
pub fn invalid_samples(format: &str) -> &'static [&'static str] {
    match format {
        "date-time" => &["2024-02-30T12:30:45Z", "2024-02-29 12:30", "2024-02-29"],
        "date" => &["2024-02-30", "29.02.2024"],
        "time" => &["25:00:00Z", "noon"],
        "duration" => &["1 day"],
        "email" | "idn-email" => &["ada.example.com", "@"],
        "hostname" | "idn-hostname" => &["-host-.example", "a b"],
        "ipv4" => &["192.0.2.256", "1.2.3"],
        "ipv6" => &["2001:db8:::1", "g::"],
        "uri" | "iri" => &["not a uri", "//"],
        "uri-reference" | "iri-reference" => &["a b", "%zz"],
        "uri-template" => &["/path/{id"],
        "uuid" => &["0190c2f4-7b1a-7c3d-8e5f-0123456789", "uuid"],
        "json-pointer" => &["a/0", "/~2"],
        "relative-json-pointer" => &["/a"],
        "regex" => &["(", "a)"],
        _ => &[],
    }
}

/// A text with this format and exactly `length` characters; `None` if there is none.
pub fn of_length(format: Option<&str>, length: usize) -> Option<String> {
    let letters = |count: usize| LETTERS.chars().cycle().take(count).collect::<String>();
    match format.unwrap_or_default() {
        "email" | "idn-email" => {
            const SHORT: &str = "@b.co";
            match length.checked_sub(SHORT.len())? {
                0 => None,
                local @ 1..=64 => Some(format!("{}{SHORT}", letters(local))),
                more if more <= 64 + 180 => {
                    let labels = more - 64;
                    Some(format!("{}@{}{}", letters(64), domain(labels)?, &SHORT[1..]))
                }
                _ => None,
            }
        }
        "uri" | "iri" => match length {
            0..=2 => None,
            3..=20 => Some(format!("x:{}", letters(length - 2))),
            _ => Some(format!("https://example.com/{}", letters(length - 20))),
        },
        "uri-reference" | "iri-reference" => Some(letters(length)),
        "date-time" if (22..=29).contains(&length) => {
            let digits: String = "123456789".chars().take(length - 21).collect();
            Some(format!("2024-02-29T12:30:45.{digits}Z"))
        }
        format if invalid_samples(format).is_empty() && format != "byte" => Some(letters(length)),
        format => Some(sample(Some(format)).to_owned()).filter(|text| text.chars().count() == length),
    }
}

/// Domain labels of `length` characters in total, each followed by a dot.
fn domain(length: usize) -> Option<String> {
    let mut out = String::new();
    while out.len() < length {
        let rest = length - out.len();
        // A label has 1 to 63 letters and a dot. A rest of one character would be a dot without a label.
        let label = if rest <= 64 {
            rest - 1
        } else if rest == 65 {
            62
        } else {
            63
        };
        if label == 0 {
            return None;
        }
        out.extend(LETTERS.chars().cycle().take(label));
        out.push('.');
    }
    Some(out)
}

/// Random texts with a format. The length applies to formats that leave it open.
pub fn strategy(format: Option<&str>, least: usize, most: Option<usize>) -> BoxedStrategy<String> {
    let number = |from: u32, to: u32| from..=to;
    match format.unwrap_or_default() {
        "date-time" => (
            date(),
            time(),
            0u32..=999_999_999,
            0usize..=9,
            select(vec!["Z", "Z", "Z", "z", "+00:00", "+05:30", "-11:45"]),
        )
            .prop_map(|(date, time, fraction, digits, zone)| match digits {
                0 => format!("{date}T{time}{zone}"),
                digits => format!("{date}T{time}.{}{zone}", &format!("{fraction:09}")[..digits]),
            })
            .boxed(),
        "date" => date().boxed(),
        "time" => time().prop_map(|time| format!("{time}Z")).boxed(),
        "duration" => (1u32..400, 0u32..24).prop_map(|(days, hours)| format!("P{days}DT{hours}H")).boxed(),
        "email" | "idn-email" => {
            ("[a-z0-9_+-]{1,20}", "[a-z]{1,12}", select(vec!["com", "org", "museum", "co.uk"]))
                .prop_map(|(local, host, top)| format!("{local}@{host}.{top}"))
                .boxed()
        }
        "hostname" | "idn-hostname" => "[a-z]{1,10}(\\.[a-z]{2,6}){1,3}".boxed(),
        "ipv4" => [number(0, 255), number(0, 255), number(0, 255), number(0, 255)]
            .prop_map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}"))
            .boxed(),
        "ipv6" => any::<u128>().prop_map(|bits| std::net::Ipv6Addr::from(bits).to_string()).boxed(),
        "uri" | "iri" => (
            "(https|http|ftp|x-app)",
            "[a-z]{1,10}\\.(com|test)",
            "(:[1-9][0-9]{1,3})?",
            "(/([a-z0-9._~-]|%2F){0,6}){0,3}",
            "(\\?[a-z]=[a-z0-9]{0,4})?(#[a-z]{1,4})?",
        )
            .prop_map(|(scheme, host, port, path, rest)| format!("{scheme}://{host}{port}{path}{rest}"))
            .boxed(),
        "uri-reference" | "iri-reference" => "(/[a-z0-9._~-]{0,6}){0,3}(\\?[a-z]=[a-z0-9]{0,4})?".boxed(),
        "uuid" => any::<u128>()
            .prop_map(|bits| {
                let hex = format!("{bits:032x}");
                format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
            })
            .boxed(),
        "byte" => "([A-Za-z0-9+/]{4}){0,6}".boxed(),
        format if !invalid_samples(format).is_empty() => Just(sample(Some(format)).to_owned()).boxed(),
        _ => any_text(least, most).boxed(),
    }
}

/// Random texts, mostly letters and digits with some unusual characters.
fn any_text(least: usize, most: Option<usize>) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        6 => proptest::char::ranges(vec!['a'..='z', 'A'..='Z', '0'..='9'].into()),
        1 => select(UNUSUAL.to_vec()),
    ];
    let usual = least.saturating_add(24);
    let most = most.map_or(usual, |most| most.min(usual)).max(least);
    proptest::collection::vec(character, least..=most).prop_map(|characters| characters.into_iter().collect())
}

fn date() -> impl Strategy<Value = String> {
    (1970u32..2100, 1u32..=12, 1u32..=31).prop_map(|(year, month, day)| {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        format!("{year:04}-{month:02}-{:02}", day.min(last))
    })
}

fn time() -> impl Strategy<Value = String> {
    (0u32..24, 0u32..60, 0u32..60)
        .prop_map(|(hour, minute, second)| format!("{hour:02}:{minute:02}:{second:02}"))
}

/// Random texts that match a pattern; `None` if the pattern cannot be turned into a generator.
pub fn from_pattern(pattern: &str) -> Option<BoxedStrategy<String>> {
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    let bare = bare.strip_suffix('$').filter(|bare| !bare.ends_with('\\')).unwrap_or(bare);
    // `\d` and `\w` are ASCII in JSON Schema and Unicode in Rust.
    let bare = bare.replace("\\d", "[0-9]").replace("\\w", "[A-Za-z0-9_]");
    proptest::string::string_regex(&bare).ok().map(Strategy::boxed)
}

/// Whether `text` matches a pattern, as the JSON Schema validator reads it.
pub fn matches(pattern: &str, text: &str) -> bool {
    jsonschema::options()
        .offline()
        .build(&serde_json::json!({ "pattern": pattern }))
        .is_ok_and(|validator| validator.is_valid(&serde_json::Value::String(text.to_owned())))
}

/// Characters that RFC 3986 does not allow in a fragment.
const NOT_IN_FRAGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Percent-encodes a JSON pointer in fragment form (`#/a~1b/{id}`) for a `$ref`, which is a URI.
pub fn fragment(pointer: &str) -> String {
    utf8_percent_encode(pointer, NOT_IN_FRAGMENT).to_string()
}

/// Decodes what [`fragment`] encoded.
pub fn unfragment(reference: &str) -> String {
    percent_decode_str(reference).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const FORMATS: [&str; 17] = [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "iri",
        "uri-reference",
        "uri-template",
        "uuid",
        "json-pointer",
        "relative-json-pointer",
        "regex",
        "password",
    ];

    fn format_validator(format: &str) -> jsonschema::Validator {
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&json!({ "format": format }))
            .expect("a schema")
    }

    #[test]
    fn samples_match_their_format() {
        for format in FORMATS {
            let validator = format_validator(format);
            assert!(validator.is_valid(&json!(sample(Some(format)))), "{format}");
            for text in invalid_samples(format) {
                assert!(!validator.is_valid(&json!(text)), "{format}: {text}");
            }
            for length in 0..300 {
                let Some(text) = of_length(Some(format), length) else { continue };
                assert_eq!(text.chars().count(), length, "{format}: {text}");
                assert!(validator.is_valid(&Value::String(text.clone())), "{format}: {text}");
            }
        }
    }

    #[test]
    fn random_texts_match_their_format() {
        let mut runner = super::super::runner(7);
        for format in FORMATS {
            let validator = format_validator(format);
            for _ in 0..200 {
                let tree = strategy(Some(format), 0, None).new_tree(&mut runner).expect("a text");
                let text = proptest::strategy::ValueTree::current(&tree);
                assert!(validator.is_valid(&json!(text)), "{format}: {text}");
            }
        }
    }

    #[test]
    fn fragment_round_trips() {
        let pointer = "#/paths/~1api~1contacts~1{id}/get/ä";
        assert_eq!(fragment(pointer), "#/paths/~1api~1contacts~1%7Bid%7D/get/%C3%A4");
        assert_eq!(unfragment(&fragment(pointer)), pointer);
    }
}
