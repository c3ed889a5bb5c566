//! Strict reading of JSON: duplicate keys, NUL characters, deep nesting and numbers that nobody can hold are
//! errors, each with its JSON pointer.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep arrays and objects may nest.
pub const MAX_DEPTH: usize = 64;

/// Reads one JSON value from UTF-8 bytes. The error is a line for `details`, its pointers below `root`.
pub fn parse(bytes: &[u8], root: &str) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| format!("{root}: is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let position = Position { path: RefCell::new(Vec::new()), found: RefCell::new(None) };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { position: &position, depth: 0 }.deserialize(&mut reader);
    let outcome = value.and_then(|value| reader.end().map(|()| value));
    outcome.map_err(|error| match position.found.into_inner() {
        Some((pointer, problem)) => format!("{root}{pointer}: {problem}"),
        None => format!("{root}: is not valid JSON: {}", syntax(&error)),
    })
}

/// Writes a value as canonical JSON, without spaces and with members ordered by name. Equal values give equal bytes.
pub fn canonical(value: &Value, sink: &mut dyn FnMut(&[u8])) {
    match value {
        Value::Array(items) => {
            sink(b"[");
            for item in items {
                canonical(item, sink);
                sink(b",");
            }
            sink(b"]");
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            sink(b"{");
            for (name, value) in members {
                sink(Value::from(name.as_str()).to_string().as_bytes());
                sink(b":");
                canonical(value, sink);
                sink(b",");
            }
            sink(b"}");
        }
        plain => sink(plain.to_string().as_bytes()),
    }
}

/// serde_json's messages about syntax never quote the document, those about values might.
fn syntax(error: &serde_json::Error) -> String {
    if error.is_syntax() || error.is_eof() {
        error.to_string()
    } else {
        format!("at line {} column {}", error.line(), error.column())
    }
}

struct Position {
    path: RefCell<Vec<String>>,
    found: RefCell<Option<(String, &'static str)>>,
}

impl Position {
    fn error<E: serde::de::Error>(&self, problem: &'static str) -> E {
        let mut pointer = String::new();
        for token in self.path.borrow().iter() {
            pointer.push('/');
            pointer.push_str(&clip(token));
        }
        self.found.borrow_mut().get_or_insert((pointer, problem));
        E::custom(problem)
    }
}

/// A pointer token for a message: escaped and cut to 60 characters.
fn clip(token: &str) -> String {
    let escaped = super::violations::escape(token);
    if escaped.chars().count() > 60 { escaped.chars().take(60).chain(['…']).collect() } else { escaped }
}

#[derive(Clone, Copy)]
struct Strict<'p> {
    position: &'p Position,
    depth: usize,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.position.error("is nested too deeply; 64 levels are read"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if i64::try_from(value).is_err() {
            return Err(self.position.error("is a number too large to be read"));
        }
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // 2^53: beyond it a float does not tell neighbouring integers apart.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && value.abs() < EXACT {
            // In JSON Schema 1.0 is an integer.
            #[allow(clippy::cast_possible_truncation, reason = "the range was just checked")]
            return Ok(Value::from(value as i64));
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.position.error("is not a number"))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        if value.contains('\0') {
            return Err(self.position.error("holds a NUL character"));
        }
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Vec::new();
        loop {
            self.position.path.borrow_mut().push(out.len().to_string());
            let Some(item) = items.next_element_seed(inner)? else { break };
            self.position.path.borrow_mut().pop();
            out.push(item);
        }
        self.position.path.borrow_mut().pop();
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut out = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            self.position.path.borrow_mut().push(key.clone());
            if key.contains('\0') {
                return Err(self.position.error("holds a NUL character in its name"));
            }
            if out.contains_key(&key) {
                return Err(self.position.error("is there more than once"));
            }
            let value = members.next_value_seed(inner)?;
            self.position.path.borrow_mut().pop();
            out.insert(key, value);
        }
        Ok(Value::Object(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        parse(text.as_bytes(), "/body").expect_err("is refused")
    }

    #[test]
    fn reads_json() {
        let value = parse(br#"{"a":[1,2.0,-3,1.5,null,true,"\u00e9"],"b":{}}"#, "/body").expect("reads");
        assert_eq!(value, serde_json::json!({ "a": [1, 2, -3, 1.5, null, true, "é"], "b": {} }));
    }

    #[test]
    fn canonical_json_depends_on_the_value_only() {
        let bytes = |text: &str| {
            let mut out = Vec::new();
            canonical(&parse(text.as_bytes(), "").expect("reads"), &mut |piece| out.extend_from_slice(piece));
            String::from_utf8(out).expect("text")
        };
        assert_eq!(bytes(r#"{"b":[1.0,"x"],"a":{}}"#), bytes(r#" { "a" : {}, "b" : [ 1, "\u0078" ] } "#));
        assert_ne!(bytes(r#"["a","b"]"#), bytes(r#"["a,b"]"#));
        assert_ne!(bytes(r#"[["a"],"b"]"#), bytes(r#"[["a","b"]]"#));
    }

    #[test]
    fn rejects_ambiguous_json_with_its_pointer() {
        assert_eq!(error_of(r#"{"a":{"b":1,"b":2}}"#), "/body/a/b: is there more than once");
        assert_eq!(error_of(r#"{"a":["x","y\u0000"]}"#), "/body/a/1: holds a NUL character");
        assert_eq!(error_of(r#"{"a":18446744073709551615}"#), "/body/a: is a number too large to be read");
        assert!(
            error_of(&format!("{}{}", "[".repeat(65), "]".repeat(65)))
                .ends_with("is nested too deeply; 64 levels are read")
        );
        assert!(parse(format!("{}{}", "[".repeat(64), "]".repeat(64)).as_bytes(), "/body").is_ok());
    }

    #[test]
    fn reports_where_json_is_malformed() {
        assert_eq!(error_of("{\"a\":}"), "/body: is not valid JSON: expected value at line 1 column 6");
        assert!(error_of("{} {}").contains("trailing characters"));
        assert!(error_of("").contains("EOF"));
        assert!(error_of("[1e999]").contains("number out of range"));
        assert_eq!(parse(b"\"\xff\"", "/body").expect_err("is refused"), "/body: is not UTF-8");
        assert!(error_of(r#""\ud800""#).starts_with("/body: is not valid JSON"));
    }
}
