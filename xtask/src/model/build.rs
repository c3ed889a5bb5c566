//! Reads operations from the named document: parameters, bodies and responses with their references resolved. Credentials
//! are read in `security`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow, bail};
use indexmap::IndexMap;
use serde_json::Value;

use super::{Body, FormField, Media, Operation, Param, ParamLocation, Response, Status, TypeRef, text};
use crate::name::{escape, pascal, snake};
use crate::source::Settings;

/// Reads operations from the named document.
pub(super) struct Builder<'a> {
    pub(super) document: &'a Value,
    pub(super) settings: &'a Settings,
    pub(super) file: &'a str,
}

impl<'a> Builder<'a> {
    /// Follows a `$ref` to a component other than a schema.
    fn resolve<'v>(&self, value: &'v Value, pointer: &str) -> Result<&'v Value>
    where
        'a: 'v,
    {
        let mut value = value;
        for _ in 0..16 {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Ok(value) };
            value = reference
                .strip_prefix('#')
                .and_then(|pointer| self.document.pointer(pointer))
                .with_context(|| format!("{}: {pointer}: {reference} does not resolve", self.file))?;
        }
        bail!("{}: {pointer}: its references form a cycle", self.file)
    }

    /// Reads one operation.
    pub(super) fn operation(
        &self,
        path: &str,
        item: &'a Value,
        method: &str,
        operation: &'a Value,
    ) -> Result<Operation> {
        let pointer = format!("#/paths/{}/{method}", escape(path));
        let id = operation
            .get("operationId")
            .and_then(Value::as_str)
            .map_or_else(|| snake(&format!("{method}_{path}")), str::to_owned);
        let params = self.params(path, item, operation, &pointer)?;
        let body = match operation.get("requestBody") {
            Some(body) => Some(self.body(body, &format!("{pointer}/requestBody"))?),
            None => None,
        };
        let mut responses = Vec::new();
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            responses.push(self.response(status, response, &format!("{pointer}/responses/{status}"))?);
        }
        let (principals, anonymous) = self.security(operation, &pointer)?;
        let flag = |name: &Option<String>| {
            name.as_ref().is_some_and(|name| operation.get(name.as_str()) == Some(&Value::Bool(true)))
        };
        let feature = self.feature(operation, &pointer)?;
        let tenant = flag(&self.settings.extensions.tenant);
        if let Some(feature) = &feature
            && principals.is_empty()
            && !tenant
        {
            bail!(
                "{}: {pointer}: the feature {feature} cannot be checked: the operation needs no credential and names no tenant",
                self.file
            );
        }
        Ok(Operation {
            name: snake(&id),
            type_name: pascal(&snake(&id)),
            method: method.to_uppercase(),
            path: format!("{}{path}", self.prefix(item, operation)),
            tag: operation["tags"][0].as_str().unwrap_or("Default").to_owned(),
            summary: text(operation, "summary"),
            description: text(operation, "description"),
            addition: flag(&self.settings.extensions.addition),
            deprecated: operation["deprecated"] == Value::Bool(true),
            tenant,
            feature,
            params,
            body,
            responses,
            principals,
            anonymous,
            pointer,
            id,
        })
    }

    /// The path of the first server URL that applies to the operation.
    fn prefix(&self, item: &Value, operation: &Value) -> String {
        let servers =
            operation.get("servers").or_else(|| item.get("servers")).or_else(|| self.document.get("servers"));
        let url = servers.and_then(|servers| servers[0]["url"].as_str()).unwrap_or("");
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        let path = if url.contains("://") {
            after_scheme.find('/').map_or("", |start| &after_scheme[start..])
        } else {
            url
        };
        let path = path.trim_end_matches('/');
        if path.contains('{') { String::new() } else { path.to_owned() }
    }

    fn params(&self, path: &str, item: &'a Value, operation: &'a Value, pointer: &str) -> Result<Vec<Param>> {
        let mut found: IndexMap<(String, String), Param> = IndexMap::new();
        let shared = item["parameters"].as_array().into_iter().flatten();
        let own = operation["parameters"].as_array().into_iter().flatten();
        for (index, raw) in shared.chain(own).enumerate() {
            let pointer = format!("{pointer}/parameters/{index}");
            let param = self.resolve(raw, &pointer)?;
            let name = text(param, "name");
            let place = match param["in"].as_str() {
                Some("path") => ParamLocation::Path,
                Some("query") => ParamLocation::Query,
                Some("header") => ParamLocation::Header,
                Some("cookie") => ParamLocation::Cookie,
                other => {
                    bail!("{}: {pointer}: `in` is {other:?}; use path, query, header or cookie", self.file)
                }
            };
            let schema = param
                .get("schema")
                .or_else(|| {
                    param
                        .get("content")
                        .and_then(Value::as_object)
                        .and_then(|all| all.values().next()?.get("schema"))
                })
                .cloned()
                .unwrap_or(Value::Bool(true));
            let target = match schema.get("$ref") {
                Some(_) => self.resolve(&schema, &pointer)?.clone(),
                None => schema.clone(),
            };
            let default = schema.get("default").or_else(|| target.get("default")).cloned();
            let key = (name.clone(), format!("{place:?}"));
            let param = Param {
                rust_name: snake(&name),
                place,
                required: place == ParamLocation::Path || param["required"] == Value::Bool(true),
                description: text(param, "description"),
                ty: TypeRef::of(&schema, &pointer).map_err(|error| anyhow!("{}: {error}", self.file))?,
                schema,
                pointer,
                default,
                name,
            };
            found.insert(key, param);
        }
        let mut params: Vec<Param> = found.into_values().collect();
        let template: Vec<&str> =
            path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        for variable in &template {
            if !params.iter().any(|param| param.place == ParamLocation::Path && param.name == *variable) {
                bail!(
                    "{}: {pointer}: path variable {{{variable}}} is not declared; add a path parameter",
                    self.file
                );
            }
        }
        params.retain(|param| param.place != ParamLocation::Path || template.contains(&param.name.as_str()));
        // Path variables come first, in the order of the path, because they become arguments of client calls.
        params.sort_by_key(|param| match param.place {
            ParamLocation::Path => template.iter().position(|variable| *variable == param.name).unwrap_or(0),
            _ => usize::MAX,
        });
        let mut names = BTreeSet::new();
        for param in &mut params {
            while !names.insert(param.rust_name.clone()) || param.rust_name == "body" {
                param.rust_name.push('_');
            }
        }
        Ok(params)
    }

    fn body(&self, raw: &'a Value, pointer: &str) -> Result<Body> {
        let body = self.resolve(raw, pointer)?;
        let media = self.media(body, pointer)?;
        if media.is_empty() {
            bail!("{}: {pointer}: the request body has no media type; add one to `content`", self.file);
        }
        Ok(Body { required: body["required"] == Value::Bool(true), media })
    }

    fn response(&self, status: &str, raw: &'a Value, pointer: &str) -> Result<Response> {
        let response = self.resolve(raw, pointer)?;
        let status = match status {
            "default" => Status::Default,
            class if class.to_ascii_uppercase().ends_with("XX") => Status::Class(
                class[..1].parse().with_context(|| format!("{}: {pointer}: status {class}", self.file))?,
            ),
            code => Status::Code(
                code.parse().with_context(|| format!("{}: {pointer}: status {code}", self.file))?,
            ),
        };
        Ok(Response {
            status,
            description: text(response, "description"),
            media: self.media(response, pointer)?,
            headers: response["headers"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, _)| name.clone())
                .collect(),
        })
    }

    fn media(&self, holder: &'a Value, pointer: &str) -> Result<Vec<Media>> {
        let mut out = Vec::new();
        for (content_type, media) in holder["content"].as_object().into_iter().flatten() {
            let pointer = format!("{pointer}/content/{}/schema", escape(content_type));
            let schema = media.get("schema").cloned().unwrap_or(Value::Bool(true));
            let ty = if content_type.contains("json") || content_type.contains("urlencoded") {
                TypeRef::of(&schema, &pointer).map_err(|error| anyhow!("{}: {error}", self.file))?
            } else if content_type.starts_with("text/") || content_type == "application/sdp" {
                TypeRef::String
            } else {
                TypeRef::Bytes
            };
            let fields = if content_type.starts_with("multipart/") {
                self.form_fields(&schema, &pointer)?
            } else {
                Vec::new()
            };
            let example = media
                .get("example")
                .or_else(|| {
                    media
                        .get("examples")
                        .and_then(Value::as_object)
                        .and_then(|all| all.values().next()?.get("value"))
                })
                .cloned();
            out.push(Media { content_type: content_type.clone(), schema, ty, fields, example });
        }
        Ok(out)
    }

    fn form_fields(&self, schema: &Value, pointer: &str) -> Result<Vec<FormField>> {
        let target = match schema.get("$ref").and_then(Value::as_str) {
            Some(reference) => reference
                .strip_prefix('#')
                .and_then(|pointer| self.document.pointer(pointer))
                .with_context(|| format!("{}: {pointer}: {reference} does not resolve", self.file))?,
            None => schema,
        };
        let required: Vec<&str> =
            target["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        Ok(target["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, field)| FormField {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                binary: field["format"] == "binary" || field.get("contentMediaType").is_some(),
            })
            .collect())
    }
}
