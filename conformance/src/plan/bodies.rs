//! Probes of the request body: malformed bodies, bodies that break one keyword of their schema, and valid bodies.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Expectation, Planner, Probe};
use crate::contract::{Body, Media, Status};
use crate::draft::{Content, Draft, Payload};
use crate::report::Rule;
use crate::wire::{essence, is_json};

/// Number of spaces appended to make a body too large.
const PADDING: usize = 2 << 20;

/// Bytes that are not JSON, or that a server should reject before parsing them completely.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("truncated JSON body", b"{\"a\": 1".to_vec()),
        ("body that is not JSON", b"nonsense".to_vec()),
        ("empty body", Vec::new()),
        ("two JSON values in one body", b"{} {}".to_vec()),
        ("body that is not UTF-8", b"{\"a\": \"\xff\xfe\"}".to_vec()),
        ("body of a thousand open brackets", vec![b'['; 1000]),
        ("number out of range", b"{\"a\": 1e999}".to_vec()),
    ]
}

impl Planner<'_> {
    /// The documented body that the base request uses, with its media type.
    fn media(&self) -> Option<(&Body, &str, &Media)> {
        let draft = &self.base.draft;
        let body = draft.operation.body.as_ref()?;
        let used = draft.body.as_ref().and_then(|payload| payload.media.as_deref()).map(essence);
        let mut listed = body.media.iter();
        let (name, media) = match used {
            Some(used) => listed.find(|(name, _)| essence(name) == used)?,
            None => listed.next()?,
        };
        Some((body, name, media))
    }

    fn with_bytes(&self, media: Option<&str>, bytes: Vec<u8>) -> Draft {
        let mut draft = self.base.draft.clone();
        draft.body =
            Some(Payload { media: media.map(str::to_owned), content: Content::Raw(Bytes::from(bytes)) });
        draft
    }

    /// The value that variations start from: that of the base request, an example, or the minimal value.
    fn base_value(&self, media: &Media) -> Option<Value> {
        let schema = media.schema.as_ref()?;
        let validator = self.contract.validator(schema).ok()?;
        let mut known = self.base.draft.value().into_iter().chain(&media.examples);
        let valid = known.find(|value| validator.is_valid(value)).cloned();
        valid.or_else(|| self.contract.schema(schema).ok()?.minimal().ok())
    }

    fn with_value(&self, media: &str, value: Value) -> Draft {
        let mut draft = self.base.draft.clone();
        draft.body = Some(Payload { media: Some(media.to_owned()), content: Content::Value(value) });
        draft
    }

    /// Whether the contract documents a body that is too large, by the status 413 or by an error code.
    fn documents_too_large(&self) -> bool {
        self.base.draft.operation.response(413).is_some_and(|spec| {
            let shapes = spec.media.values().filter_map(|media| media.schema.as_ref());
            spec.status == Status::Exact(413)
                || shapes
                    .filter_map(|schema| self.contract.error_shape(schema))
                    .any(|shape| shape.codes.contains_key("too_large"))
        })
    }

    /// Bodies that must be rejected.
    pub(super) fn invalid_bodies(&self) -> Vec<Probe> {
        let Some((body, name, media)) = self.media() else { return Vec::new() };
        let mut out = Vec::new();
        let invalid = self.contract.error_codes("invalid");
        let refused = |rule: Rule, statuses: &[u16], codes: &[String], pointer: &str| Expectation::Rejected {
            rule,
            statuses: statuses.to_vec(),
            codes: codes.to_vec(),
            pointer: pointer.to_owned(),
        };
        if body.required {
            let mut without = self.base.draft.clone();
            without.body = None;
            let expect = refused(Rule::Accepted, &[400, 422, 415, 411], &[], &body.pointer);
            out.push(self.probe("no body", without, expect));
        }
        if let Some(value) = self.base_value(media) {
            let written = serde_json::to_vec(&value).unwrap_or_default();
            let mut codes = self.contract.error_codes("media_type");
            codes.extend(invalid.iter().cloned());
            let wrong = refused(Rule::MediaType, &[415, 400], &codes, &body.pointer);
            for other in ["application/xml", "image/png"] {
                if !body.media.keys().any(|known| {
                    let known = essence(known);
                    known == other
                        || known == "*/*"
                        || known.ends_with("/*") && other.starts_with(&known[..known.len() - 1])
                }) {
                    let tried = format!("body with media type {other}");
                    out.push(self.probe(tried, self.with_bytes(Some(other), written.clone()), wrong.clone()));
                }
            }
            if is_json(&essence(name)) {
                out.push(self.probe("body without a media type", self.with_bytes(None, written), wrong));
            }
        }
        if !is_json(&essence(name)) {
            return out;
        }
        // A schema has no size limit. A server that documents the error is expected to have a limit below this size.
        if self.documents_too_large()
            && let Some(value) = self.base_value(media)
        {
            let mut bytes = serde_json::to_vec(&value).unwrap_or_default();
            bytes.resize(bytes.len() + PADDING, b' ');
            let expect =
                refused(Rule::Accepted, &[413], &self.contract.error_codes("too_large"), &body.pointer);
            let tried = format!("body of {} MiB", PADDING >> 20);
            out.push(self.probe(tried, self.with_bytes(Some(name), bytes), expect));
        }
        for (what, bytes) in malformed() {
            if bytes.is_empty() && !body.required {
                continue;
            }
            let expect = refused(Rule::Accepted, &[400, 413, 422], &[], &body.pointer);
            out.push(self.probe(what, self.with_bytes(Some(name), bytes), expect));
        }
        let base = self.base_value(media);
        let mutants = media
            .schema
            .as_ref()
            .and_then(|schema| self.contract.schema(schema).ok()?.mutants(base.as_ref()).ok());
        for case in mutants.into_iter().flat_map(|mutants| mutants.cases) {
            let place = if case.instance_path.is_empty() {
                "body".to_owned()
            } else {
                format!("body {}", case.instance_path)
            };
            let tried = format!("{place}: {}", case.description);
            let expect = refused(Rule::Accepted, &[400, 422], &invalid, &case.schema);
            out.push(self.probe(tried, self.with_value(name, case.value), expect));
        }
        out
    }

    /// Bodies that the contract allows.
    pub(super) fn valid_bodies(&self) -> Vec<Probe> {
        let Some((body, name, media)) = self.media() else { return Vec::new() };
        let mut out = Vec::new();
        if !body.required {
            let mut without = self.base.draft.clone();
            without.body = None;
            out.push(self.probe("no body, which is optional", without, Expectation::Documented));
        }
        let Some(schema) = media.schema.as_ref() else { return out };
        let (Ok(validator), Ok(source)) = (self.contract.validator(schema), self.contract.schema(schema))
        else {
            return out;
        };
        for example in media.examples.iter().filter(|example| validator.is_valid(example)) {
            out.push(self.probe(
                "example of the contract",
                self.with_value(name, example.clone()),
                Expectation::Valid,
            ));
        }
        if essence(name) == "multipart/form-data" {
            return out;
        }
        let Some(base) = self.base_value(media) else { return out };
        if let Ok(cases) = source.boundaries(Some(&base)) {
            for case in cases.cases {
                let place = if case.instance_path.is_empty() {
                    "body".to_owned()
                } else {
                    format!("body {}", case.instance_path)
                };
                let tried = format!("{place}: {}", case.description);
                out.push(self.probe(tried, self.with_value(name, case.value), Expectation::Valid));
            }
        }
        if let Ok(samples) = source.samples(self.cases, self.seed) {
            for value in samples {
                out.push(self.probe("random body", self.with_value(name, value), Expectation::Valid));
            }
        }
        if !is_json(&essence(name)) {
            return out;
        }
        let mut add_valid = |tried: &str, value: Value, expect: Expectation| {
            if validator.is_valid(&value) {
                out.push(self.probe(tried, self.with_value(name, value), expect));
            }
        };
        if let Value::Object(members) = &base {
            let mut extra = members.clone();
            extra.insert("x-conformance-extra".to_owned(), json!({ "nested": [1, null, "text"] }));
            add_valid("unknown member", Value::Object(extra), Expectation::Valid);
            for (text, what, expect) in [
                // A schema can hardly forbid NUL, and many databases cannot store it, so it may be rejected.
                ("\u{0}", "with NUL", Expectation::Documented),
                (
                    "Zoë 🎉 \u{202e}\u{200b} 日本語 ' \" \\ <b> -- ; %00",
                    "with many scripts and quotes",
                    Expectation::Valid,
                ),
            ] {
                for (member, _) in members.iter().filter(|(_, value)| value.is_string()) {
                    let mut changed = members.clone();
                    changed.insert(member.clone(), json!(format!("a{text}b")));
                    add_valid(
                        &format!("body /{member}: text {what}"),
                        Value::Object(changed),
                        expect.clone(),
                    );
                }
            }
        }
        let media_type = format!("{name}; charset=utf-8");
        let bytes = serde_json::to_vec(&base).unwrap_or_default();
        out.push(self.probe(
            "media type with a charset",
            self.with_bytes(Some(&media_type), bytes),
            Expectation::Valid,
        ));
        out
    }
}
