//! Compares request bodies and responses: media types, statuses, headers.

use serde_json::Value;

use super::message::names;
use super::operations::{Pair, standing};
use super::view::Node;
use super::{Direction, Level, Side};
use crate::walk::{follow, join, members};

/// A response: status, pointer and value.
type Response<'a> = (&'a str, String, &'a Value);

/// The response that applies to `status`: its own, its range, or the default.
fn answering<'r, 'a>(status: &str, responses: &'r [Response<'a>]) -> Option<&'r Response<'a>> {
    let range = format!("{}XX", status.chars().next().unwrap_or_default());
    [status, &range, "default"]
        .into_iter()
        .find_map(|wanted| responses.iter().find(|(status, ..)| status.eq_ignore_ascii_case(wanted)))
}

impl Pair<'_, '_, '_> {
    pub(super) fn body(&mut self) {
        let at = join(&self.after.pointer(), "requestBody");
        match (self.before.body(self.old), self.after.body(self.new)) {
            (None, None) => {}
            (None, Some((_, body))) => {
                let required = body["required"] == true;
                let (level, rule) = if required {
                    (Level::Breaking, "required-body-added")
                } else {
                    (Level::Compatible, "body-added")
                };
                let message =
                    format!("has {} request body", if required { "a required" } else { "an optional" });
                self.record(level, rule, Side::New, at, message);
            }
            (Some(_), None) => {
                let at = join(&self.before.pointer(), "requestBody");
                self.record(
                    Level::Breaking,
                    "body-removed",
                    Side::Old,
                    at,
                    "no longer has a request body".to_owned(),
                );
            }
            (Some((old_at, old)), Some((new_at, new))) => {
                match (old["required"] == true, new["required"] == true) {
                    (false, true) => {
                        self.record(
                            Level::Breaking,
                            "body-became-required",
                            Side::New,
                            join(&new_at, "required"),
                            "the body is required, was optional".to_owned(),
                        );
                    }
                    (true, false) => {
                        self.record(
                            Level::Compatible,
                            "body-became-optional",
                            Side::New,
                            new_at.clone(),
                            "the body is optional, was required".to_owned(),
                        );
                    }
                    _ => {}
                }
                self.content((&old_at, old), (&new_at, new), Direction::Request);
            }
        }
    }

    fn content(
        &mut self,
        (old_at, old): (&str, &Value),
        (new_at, new): (&str, &Value),
        direction: Direction,
    ) {
        let verb = if direction == Direction::Request { "accepted" } else { "returned" };
        for (media, before) in members(&old["content"]) {
            let old_at = join(&join(old_at, "content"), media);
            let Some(after) = new["content"].get(media) else {
                let change = self.record(
                    Level::Breaking,
                    "media-type-removed",
                    Side::Old,
                    old_at,
                    format!("{media} is no longer {verb}"),
                );
                change.directions = vec![direction];
                change.breaks = vec![direction];
                continue;
            };
            let new_at = join(&join(new_at, "content"), media);
            if before.get("encoding") != after.get("encoding") {
                let side = standing(before, after, "encoding");
                let holder = if side == Side::Old { &old_at } else { &new_at };
                let change = self.record(
                    Level::Breaking,
                    "encoding-changed",
                    side,
                    join(holder, "encoding"),
                    format!("the encoding of {media} changed"),
                );
                change.directions = vec![direction];
                change.breaks = vec![direction];
            }
            match (before.get("schema"), after.get("schema")) {
                (Some(before), Some(after)) => self.schema(
                    Node::new(join(&old_at, "schema"), before.clone()),
                    Node::new(join(&new_at, "schema"), after.clone()),
                    direction,
                ),
                (before, after) if before.is_some() != after.is_some() => {
                    // Without a schema, any value is allowed.
                    let breaks = (direction == Direction::Request) == after.is_some();
                    let level = if breaks { Level::Breaking } else { Level::Compatible };
                    let message = if after.is_some() { "has a schema" } else { "no longer has a schema" };
                    let change = self.record(
                        level,
                        "schema-presence",
                        Side::New,
                        new_at,
                        format!("{media} {message}"),
                    );
                    change.directions = vec![direction];
                    change.breaks = if breaks { vec![direction] } else { Vec::new() };
                }
                _ => {}
            }
        }
        for (media, _) in members(&new["content"]) {
            if old["content"].get(media).is_none() {
                let bodiless = members(&old["content"]).next().is_none() && direction == Direction::Response;
                let change = self.record(
                    Level::Compatible,
                    "media-type-added",
                    Side::New,
                    join(&join(new_at, "content"), media),
                    format!("{media} is also {verb}"),
                );
                change.directions = vec![direction];
                if bodiless {
                    change.note = Some("there was no body before".to_owned());
                }
            }
        }
    }

    pub(super) fn responses(&mut self) {
        let (before, after) = (self.before.responses(self.old), self.after.responses(self.new));
        for (status, old_at, old) in &before {
            match answering(status, &after) {
                Some((new_status, new_at, new)) => {
                    self.response((status, old_at, old), (new_status, new_at, new));
                }
                None => {
                    let success = status.starts_with(['1', '2', '3']);
                    let at = join(&join(&self.before.pointer(), "responses"), status);
                    let level = if success { Level::Breaking } else { Level::Compatible };
                    let message = format!("no longer returns {status}");
                    let change = self.record(level, "response-removed", Side::Old, at, message);
                    change.directions = vec![Direction::Response];
                    if success {
                        change.breaks = vec![Direction::Response];
                    } else {
                        change.note = Some("clients handle one error less".to_owned());
                    }
                }
            }
        }
        for (status, new_at, new) in &after {
            match answering(status, &before) {
                Some((same, ..)) if same.eq_ignore_ascii_case(status) => {}
                // It was covered by a range before.
                Some((old_status, old_at, old)) => {
                    self.response((old_status, old_at, old), (status, new_at, new));
                }
                None => {
                    let success = status.starts_with(['1', '2', '3']);
                    let at = join(&join(&self.after.pointer(), "responses"), status);
                    // Clients must expect errors, but a new success response is unknown to them.
                    let level = if success { Level::Breaking } else { Level::Compatible };
                    let change =
                        self.record(level, "response-added", Side::New, at, format!("may return {status}"));
                    change.directions = vec![Direction::Response];
                    change.breaks = if success { vec![Direction::Response] } else { Vec::new() };
                }
            }
        }
    }

    fn response(
        &mut self,
        (old_status, old_at, old): (&str, &str, &Value),
        (new_status, new_at, new): (&str, &str, &Value),
    ) {
        self.content((old_at, old), (new_at, new), Direction::Response);
        self.headers((old_at, old), (new_at, new));
        let message = if !old_status.eq_ignore_ascii_case(new_status) {
            format!("{new_status} is documented, was covered by {old_status}")
        } else if old["description"] != new["description"] {
            format!("description of {new_status} changed")
        } else {
            return;
        };
        self.record(Level::Documentation, "description-changed", Side::New, new_at.to_owned(), message);
    }

    fn headers(&mut self, (old_at, old): (&str, &Value), (new_at, new): (&str, &Value)) {
        let find = |response: &Value, wanted: &str| -> Option<(String, Value)> {
            members(&response["headers"])
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(name, header)| (name.clone(), header.clone()))
        };
        for (name, header) in members(&old["headers"]) {
            let old_at = join(&join(old_at, "headers"), name);
            let Some((new_name, after)) = find(new, name) else {
                let change = self.record(
                    Level::Breaking,
                    "header-removed",
                    Side::Old,
                    old_at,
                    format!("header {name} was removed"),
                );
                (change.directions, change.breaks) = (vec![Direction::Response], vec![Direction::Response]);
                continue;
            };
            let new_at = join(&join(new_at, "headers"), &new_name);
            let (Some((old_at, before)), Some((new_at, after))) =
                (follow(self.old, &old_at, header), follow(self.new, &new_at, &after))
            else {
                continue;
            };
            if before["required"] == true && after["required"] != true {
                let change = self.record(
                    Level::Breaking,
                    "header-became-optional",
                    Side::New,
                    new_at.clone(),
                    format!("header {name} may be missing"),
                );
                (change.directions, change.breaks) = (vec![Direction::Response], vec![Direction::Response]);
            }
            if before["required"] != true && after["required"] == true {
                let change = self.record(
                    Level::Compatible,
                    "header-became-required",
                    Side::New,
                    join(&new_at, "required"),
                    format!("header {name} is always present"),
                );
                change.directions = vec![Direction::Response];
            }
            if let (Some(before), Some(after)) = (before.get("schema"), after.get("schema")) {
                let pair = (
                    Node::new(join(&old_at, "schema"), before.clone()),
                    Node::new(join(&new_at, "schema"), after.clone()),
                );
                self.schema(pair.0, pair.1, Direction::Response);
            }
        }
        let added: Vec<String> = members(&new["headers"])
            .filter(|(name, _)| find(old, name).is_none())
            .map(|(name, _)| name.clone())
            .collect();
        if !added.is_empty() {
            let change = self.record(
                Level::Compatible,
                "header-added",
                Side::New,
                join(new_at, "headers"),
                format!("also returns {}", names(&added, 6)),
            );
            change.directions = vec![Direction::Response];
        }
    }
}
