//! Reads the operations of an OpenAPI document. References within the document are followed; others are errors.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use indexmap::IndexMap;
use serde_json::Value;

use super::settings::Settings;
use super::{
    Access, Body, CredentialKind, Header, IDEMPOTENCY_KEY, METHODS, Media, Operation, Parameter,
    ParameterLocation, ResponseSpec, Status, access,
};
use crate::values::{escape, unreference};

/// Follows a chain of references at `pointer` and returns the pointer of the target.
pub fn resolve(root: &Value, pointer: &str) -> String {
    let mut at = pointer.to_owned();
    // A reference cycle is reported where its schema is used.
    for _ in 0..32 {
        let found = at.strip_prefix('#').and_then(|path| root.pointer(path));
        match found.and_then(|value| value.get("$ref")).and_then(Value::as_str) {
            Some(reference) if reference.starts_with('#') => at = unreference(reference),
            _ => break,
        }
    }
    at
}

fn at<'v>(root: &'v Value, pointer: &str) -> Result<&'v Value> {
    match pointer.strip_prefix('#').and_then(|path| root.pointer(path)) {
        Some(value) => Ok(value),
        None => bail!("{pointer}: the contract has nothing at this pointer"),
    }
}

/// All operations in document order.
pub fn operations(
    root: &Value,
    settings: &Settings,
    kinds: &IndexMap<String, CredentialKind>,
) -> Result<Vec<Operation>> {
    let mut out = Vec::new();
    let Some(paths) = root["paths"].as_object() else { bail!("#/paths: the contract has no paths") };
    for (path, _) in paths {
        let item_at = resolve(root, &format!("#/paths/{}", escape(path)));
        let item = at(root, &item_at)?;
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let pointer = format!("{item_at}/{method}");
            let servers =
                operation.get("servers").or_else(|| item.get("servers")).or_else(|| root.get("servers"));
            let prefix = prefix(servers);
            let mut parameters = Vec::new();
            for list_at in [format!("{pointer}/parameters"), format!("{item_at}/parameters")] {
                let count = at(root, &list_at).ok().and_then(Value::as_array).map_or(0, Vec::len);
                for index in 0..count {
                    let parameter = parameter(root, &format!("{list_at}/{index}"))?;
                    let known = parameters.iter().any(|known: &Parameter| {
                        known.name == parameter.name && known.location == parameter.location
                    });
                    if !known {
                        parameters.push(parameter);
                    }
                }
            }
            let text = |member: &str| operation[member].as_str().map(str::to_owned);
            let addition = settings.extensions.addition.as_ref().is_some_and(|name| {
                [operation, item].iter().any(|place| place.get(name) == Some(&Value::Bool(true)))
            });
            let body = body(root, &format!("{pointer}/requestBody"))?;
            let access = access::access(root, operation, settings, kinds);
            out.push(Operation {
                id: text("operationId").unwrap_or_else(|| format!("{} {path}", method.to_uppercase())),
                tag: operation["tags"][0].as_str().unwrap_or("untagged").to_owned(),
                method: method.to_uppercase(),
                path: format!("{prefix}{path}"),
                implied_statuses: implied_statuses(&parameters, body.as_ref(), &access, kinds),
                parameters,
                body,
                responses: responses(root, &format!("{pointer}/responses"))?,
                access,
                addition,
                pointer,
            });
        }
    }
    Ok(out)
}

/// Statuses that follow from parts of the contract: 401 from credentials, 403 from scopes, 422 from idempotency keys.
fn implied_statuses(
    parameters: &[Parameter],
    body: Option<&Body>,
    access: &Access,
    kinds: &IndexMap<String, CredentialKind>,
) -> BTreeSet<u16> {
    let credential = !access.anonymous && !access.kinds.is_empty();
    let of_access = access.kinds.iter().filter_map(|name| kinds.get(name));
    let scoped = of_access.into_iter().any(|kind| !access.required_scopes(kind).is_empty());
    let keyed = parameters.iter().any(|one| {
        one.location == ParameterLocation::Header && one.name.eq_ignore_ascii_case(IDEMPOTENCY_KEY)
    });
    // Only a body or a path parameter can make a request with the same key a different one.
    let varies = body.is_some() || parameters.iter().any(|one| one.location == ParameterLocation::Path);
    let all = [(credential, 401), (scoped, 403), (keyed && varies, 422)];
    all.into_iter().filter_map(|(holds, status)| holds.then_some(status)).collect()
}

/// The path of the first server, with the default values of its variables.
fn prefix(servers: Option<&Value>) -> String {
    let Some(server) = servers.and_then(|servers| servers.get(0)) else { return String::new() };
    let mut url = server["url"].as_str().unwrap_or_default().to_owned();
    for (name, variable) in server["variables"].as_object().into_iter().flatten() {
        url = url.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
    }
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |start| &rest[start..]),
        None => &url,
    };
    path.trim_end_matches('/').to_owned()
}

fn examples(value: &Value) -> Vec<Value> {
    let named = value["examples"].as_object().into_iter().flatten();
    value
        .get("example")
        .into_iter()
        .chain(named.filter_map(|(_, example)| example.get("value")))
        .cloned()
        .collect()
}

fn parameter(root: &Value, pointer: &str) -> Result<Parameter> {
    let pointer = resolve(root, pointer);
    let value = at(root, &pointer)?;
    let Some(location) = value["in"].as_str().and_then(ParameterLocation::parse) else {
        bail!("{pointer}/in: must be path, query, header or cookie");
    };
    let schema = value.get("schema").map(|_| format!("{pointer}/schema"));
    let mut examples = examples(value);
    if let Some(schema) = &schema {
        let schema = at(root, &resolve(root, schema))?;
        examples.extend(schema.get("example").cloned());
        examples.extend(schema["examples"].as_array().into_iter().flatten().cloned());
    }
    let style = value["style"].as_str();
    let form = matches!(location, ParameterLocation::Query | ParameterLocation::Cookie)
        && matches!(style, None | Some("form"));
    Ok(Parameter {
        name: value["name"].as_str().unwrap_or_default().to_owned(),
        location,
        required: value["required"] == true || location == ParameterLocation::Path,
        explode: value["explode"].as_bool().unwrap_or(form),
        schema,
        pointer,
        examples,
    })
}

fn media(root: &Value, pointer: &str) -> Result<IndexMap<String, Media>> {
    let mut out = IndexMap::new();
    let content = at(root, pointer)?.get("content").and_then(Value::as_object);
    for (name, media) in content.into_iter().flatten() {
        let pointer = format!("{pointer}/content/{}", escape(name));
        let schema = media.get("schema").map(|_| format!("{pointer}/schema"));
        out.insert(name.clone(), Media { schema, examples: examples(media) });
    }
    Ok(out)
}

fn body(root: &Value, pointer: &str) -> Result<Option<Body>> {
    if at(root, pointer).is_err() {
        return Ok(None);
    }
    let pointer = resolve(root, pointer);
    let required = at(root, &pointer)?["required"] == true;
    let media = media(root, &pointer)?;
    Ok((!media.is_empty()).then_some(Body { required, media, pointer }))
}

fn responses(root: &Value, pointer: &str) -> Result<Vec<ResponseSpec>> {
    let mut out = Vec::new();
    let Some(documented) = at(root, pointer)?.as_object() else { bail!("{pointer}: must be an object") };
    for name in documented.keys().filter(|name| !name.starts_with("x-")) {
        let Some(status) = Status::parse(name) else { bail!("{pointer}/{name}: is not a status") };
        let pointer = resolve(root, &format!("{pointer}/{name}"));
        let mut headers = Vec::new();
        for name in at(root, &pointer)?["headers"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let pointer = resolve(root, &format!("{pointer}/headers/{}", escape(name)));
            let header = at(root, &pointer)?;
            let schema = header.get("schema").map(|_| format!("{pointer}/schema"));
            headers.push(Header {
                name: name.clone(),
                required: header["required"] == true,
                schema,
                pointer,
            });
        }
        out.push(ResponseSpec { status, media: media(root, &pointer)?, headers, pointer });
    }
    Ok(out)
}
