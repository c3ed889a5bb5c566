//! Compares two documents operation by operation: servers, parameters, and via `bodies` and `security` the rest. Schemas
//! are compared by the graph.

use indexmap::IndexMap;
use serde_json::Value;

use super::change_log::ChangeLog;
use super::graph::Graph;
use super::view::Node;
use super::{Change, Direction, Level, Side, security};
use crate::walk::{Operation, Parameter, elements, join, members, operations, path_variables};

/// All changes of operations, without those of schemas.
pub(super) fn compare(old: &Value, new: &Value, graph: &mut Graph<'_>) -> Vec<Change> {
    let mut log = ChangeLog::default();
    let by_key = |operations: Vec<Operation<'_>>| -> IndexMap<(String, &'static str), usize> {
        operations
            .iter()
            .enumerate()
            .map(|(index, operation)| ((shape(operation.path), operation.method), index))
            .collect()
    };
    let (old_operations, new_operations) = (operations(old), operations(new));
    let (old_keys, new_keys) = (by_key(old_operations.clone()), by_key(new_operations.clone()));
    for (key, index) in &old_keys {
        let operation = &old_operations[*index];
        if !new_keys.contains_key(key) {
            removed(operation, &new_operations, &mut log);
        }
    }
    for (key, index) in &new_keys {
        let operation = &new_operations[*index];
        match old_keys.get(key) {
            Some(before) => {
                let mut pair = Pair {
                    old,
                    new,
                    before: &old_operations[*before],
                    after: operation,
                    graph,
                    log: &mut log,
                };
                pair.compare();
            }
            None => {
                log.record(
                    Level::Compatible,
                    "operation-added",
                    Side::New,
                    operation.pointer(),
                    format!("{} {} is new", operation.method.to_uppercase(), operation.path),
                    &operation.label(),
                );
            }
        }
    }
    if old.get("webhooks") != new.get("webhooks") {
        let side = standing(old, new, "webhooks");
        log.record(
            Level::Breaking,
            "webhooks-changed",
            side,
            "#/webhooks".to_owned(),
            "webhooks differ; they are not compared in detail: treated as breaking".to_owned(),
            "",
        );
    }
    log.changes
}

/// A path without the names of its variables, which are not part of a request.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|segment| if segment.starts_with('{') && segment.ends_with('}') { "{}" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

/// The document to report for a key that only one of the two may have.
pub(super) fn standing(old: &Value, new: &Value, member: &str) -> Side {
    if new.get(member).is_none() && old.get(member).is_some() { Side::Old } else { Side::New }
}

fn removed(operation: &Operation<'_>, new: &[Operation<'_>], log: &mut ChangeLog) {
    let moved = new.iter().find(|other| other.id().is_some() && other.id() == operation.id());
    let message = match moved {
        Some(other) => format!(
            "{} {} was removed; {} is now {} {}",
            operation.method.to_uppercase(),
            operation.path,
            operation.label(),
            other.method.to_uppercase(),
            other.path
        ),
        None => format!("{} {} was removed", operation.method.to_uppercase(), operation.path),
    };
    let change = log.record(
        Level::Breaking,
        if moved.is_some() { "operation-moved" } else { "operation-removed" },
        Side::Old,
        operation.pointer(),
        message,
        &operation.label(),
    );
    if operation.value["deprecated"] == true {
        change.note = Some("it was deprecated before".to_owned());
    }
}

/// An operation in both documents.
pub(super) struct Pair<'p, 'a, 'g> {
    pub(super) old: &'a Value,
    pub(super) new: &'a Value,
    pub(super) before: &'p Operation<'a>,
    pub(super) after: &'p Operation<'a>,
    pub(super) graph: &'p mut Graph<'g>,
    pub(super) log: &'p mut ChangeLog,
}

impl Pair<'_, '_, '_> {
    pub(super) fn record(
        &mut self,
        level: Level,
        rule: &'static str,
        side: Side,
        pointer: String,
        message: String,
    ) -> &mut Change {
        self.log.record(level, rule, side, pointer, message, &self.after.label())
    }

    pub(super) fn schema(&mut self, old: Node, new: Node, direction: Direction) {
        self.graph.compare(old, new, &self.after.label(), direction);
    }

    fn compare(&mut self) {
        self.annotations();
        self.servers();
        security::compare(self.old, self.new, self.before, self.after, self.log);
        self.parameters();
        self.body();
        self.responses();
        if self.before.value.get("callbacks") != self.after.value.get("callbacks") {
            let side = standing(self.before.value, self.after.value, "callbacks");
            let holder = if side == Side::Old { self.before } else { self.after };
            self.record(
                Level::Breaking,
                "callbacks-changed",
                side,
                join(&holder.pointer(), "callbacks"),
                "callbacks differ; they are not compared in detail: treated as breaking".to_owned(),
            );
        }
    }

    fn annotations(&mut self) {
        let at = self.after.pointer();
        let (before, after) = (self.before.value, self.after.value);
        match (before["deprecated"] == true, after["deprecated"] == true) {
            (false, true) => {
                self.record(
                    Level::Deprecation,
                    "deprecated",
                    Side::New,
                    join(&at, "deprecated"),
                    "is deprecated".to_owned(),
                );
            }
            (true, false) => {
                self.record(
                    Level::Compatible,
                    "deprecated",
                    Side::New,
                    at.clone(),
                    "is no longer deprecated".to_owned(),
                );
            }
            _ => {}
        }
        if before["operationId"] != after["operationId"] {
            let message = format!("is named {}, was {}", self.after.label(), self.before.label());
            let change = self.record(
                Level::Compatible,
                "operation-renamed",
                Side::New,
                join(&at, "operationId"),
                message,
            );
            change.note = Some("requests do not change; generated calls are renamed".to_owned());
        }
        for keyword in ["summary", "description", "tags"] {
            if before.get(keyword) != after.get(keyword) {
                let message = format!("{keyword} changed");
                self.record(Level::Documentation, "description-changed", Side::New, at.clone(), message);
            }
        }
    }

    fn servers(&mut self) {
        let read = |document: &Value, operation: &Operation<'_>| -> (String, Vec<String>) {
            let places = [
                (operation.value.get("servers"), join(&operation.pointer(), "servers")),
                (operation.item.get("servers"), join(&operation.item_pointer(), "servers")),
                (document.get("servers"), "#/servers".to_owned()),
            ];
            let (servers, pointer) = places
                .into_iter()
                .find(|(servers, _)| servers.is_some())
                .unwrap_or((None, "#/servers".to_owned()));
            let urls = elements(servers.unwrap_or(&Value::Null)).filter_map(|server| server["url"].as_str());
            (pointer, urls.map(str::to_owned).collect())
        };
        let ((old_at, before), (new_at, after)) = (read(self.old, self.before), read(self.new, self.after));
        for url in before.iter().filter(|url| !after.contains(url)) {
            self.record(
                Level::Breaking,
                "server-removed",
                Side::Old,
                old_at.clone(),
                format!("is no longer served at {url}"),
            );
        }
        for url in after.iter().filter(|url| !before.contains(url)) {
            self.record(
                Level::Compatible,
                "server-added",
                Side::New,
                new_at.clone(),
                format!("is also served at {url}"),
            );
        }
    }

    fn parameters(&mut self) {
        let (before, after) = (self.before.parameters(self.old), self.after.parameters(self.new));
        let old_variables = path_variables(self.before.path);
        let new_variables = path_variables(self.after.path);
        // Path variables are matched by position, others by name; header names are case-insensitive.
        let key = |parameter: &Parameter<'_>, variables: &[&str]| match parameter.place {
            "path" => format!("path {:?}", variables.iter().position(|name| *name == parameter.name)),
            "header" => format!("header {}", parameter.name.to_lowercase()),
            place => format!("{place} {}", parameter.name),
        };
        let index = |parameters: Vec<_>, variables: &[&str]| -> IndexMap<String, _> {
            parameters.into_iter().map(|parameter| (key(&parameter, variables), parameter)).collect()
        };
        let before = index(before, &old_variables);
        let after = index(after, &new_variables);
        for (key, parameter) in &before {
            // A path variable is removed only together with its path.
            if !after.contains_key(key) && parameter.place != "path" {
                let message = format!("{} parameter {} was removed", parameter.place, parameter.name);
                let change = self.record(
                    Level::Breaking,
                    "parameter-removed",
                    Side::Old,
                    parameter.declared_at.clone(),
                    message,
                );
                change.note = Some("it is ignored in requests".to_owned());
            }
        }
        for (key, parameter) in &after {
            match before.get(key) {
                Some(old) => self.parameter(old, parameter),
                None if parameter.place == "path" => {}
                None => {
                    let required = parameter.value["required"] == true;
                    let message = format!(
                        "{} parameter {} is new{}",
                        parameter.place,
                        parameter.name,
                        if required { " and required" } else { "" }
                    );
                    let (level, rule) = if required {
                        (Level::Breaking, "required-parameter-added")
                    } else {
                        (Level::Compatible, "parameter-added")
                    };
                    self.record(level, rule, Side::New, parameter.declared_at.clone(), message);
                }
            }
        }
    }

    fn parameter(&mut self, old: &Parameter<'_>, new: &Parameter<'_>) {
        let what = format!("{} parameter {}", new.place, new.name);
        if new.place != "path" {
            match (old.value["required"] == true, new.value["required"] == true) {
                (false, true) => {
                    self.record(
                        Level::Breaking,
                        "parameter-became-required",
                        Side::New,
                        join(&new.pointer, "required"),
                        format!("{what} is required, was optional"),
                    );
                }
                (true, false) => {
                    self.record(
                        Level::Compatible,
                        "parameter-became-optional",
                        Side::New,
                        new.pointer.clone(),
                        format!("{what} is optional, was required"),
                    );
                }
                _ => {}
            }
        } else if old.name != new.name {
            let change = self.record(
                Level::Compatible,
                "path-variable-renamed",
                Side::New,
                new.declared_at.clone(),
                format!("{{{}}} is renamed to {{{}}}", old.name, new.name),
            );
            change.note = Some("requests do not change; generated code may change a name".to_owned());
        }
        match (old.value["deprecated"] == true, new.value["deprecated"] == true) {
            (false, true) => {
                self.record(
                    Level::Deprecation,
                    "deprecated",
                    Side::New,
                    join(&new.pointer, "deprecated"),
                    format!("{what} is deprecated"),
                );
            }
            (true, false) => {
                self.record(
                    Level::Compatible,
                    "deprecated",
                    Side::New,
                    new.pointer.clone(),
                    format!("{what} is no longer deprecated"),
                );
            }
            _ => {}
        }
        let style = |parameter: &Parameter<'_>| {
            let by_place = if ["query", "cookie"].contains(&parameter.place) { "form" } else { "simple" };
            let style = parameter.value["style"].as_str().unwrap_or(by_place).to_owned();
            let explode = parameter.value["explode"].as_bool().unwrap_or(style == "form");
            (style, explode)
        };
        if style(old) != style(new) {
            self.record(
                Level::Breaking,
                "parameter-style-changed",
                Side::New,
                new.pointer.clone(),
                format!("the style of {what} changed"),
            );
        }
        if old.value["description"] != new.value["description"] {
            self.record(
                Level::Documentation,
                "description-changed",
                Side::New,
                new.pointer.clone(),
                format!("description of {what} changed"),
            );
        }
        let schema = |parameter: &Parameter<'_>| -> Option<Node> {
            if let Some(schema) = parameter.value.get("schema") {
                return Some(Node::new(join(&parameter.pointer, "schema"), schema.clone()));
            }
            let (media, content) = members(&parameter.value["content"]).next()?;
            let at = join(&join(&join(&parameter.pointer, "content"), media), "schema");
            Some(Node::new(at, content.get("schema")?.clone()))
        };
        if let (Some(before), Some(after)) = (schema(old), schema(new)) {
            self.schema(before, after, Direction::Request);
        }
    }
}
