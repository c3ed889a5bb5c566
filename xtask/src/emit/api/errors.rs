//! Error bodies as tables: which member carries what.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use crate::model::{Contract, Operation};
use crate::name::{pascal, snake};
use crate::source::ErrorSettings;

/// The shape of an operation's errors: its own, or that of most operations, or a plain one.
pub fn shape_of(contract: &Contract, operation: &Operation) -> Ident {
    match operation.error_schema().or_else(|| usual(contract)) {
        Some(name) => format_ident!("{}", snake(&name).to_uppercase()),
        None => format_ident!("PLAIN"),
    }
}

/// The error schema of most operations.
fn usual(contract: &Contract) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for operation in &contract.operations {
        if let Some(name) = operation.error_schema() {
            *counts.entry(name).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name)
}

/// Tables of every error schema.
pub fn emit(contract: &Contract) -> TokenStream {
    let mut media: BTreeMap<String, String> = BTreeMap::new();
    let mut plain = contract.operations.is_empty();
    for operation in &contract.operations {
        match operation.error_schema() {
            Some(name) => {
                let content_type = operation
                    .responses
                    .iter()
                    .filter(|response| !response.status.is_success())
                    .flat_map(|response| &response.media)
                    .map(|media| media.content_type.clone())
                    .next();
                media.entry(name).or_insert(content_type.unwrap_or_else(|| "application/json".into()));
            }
            None => plain |= usual(contract).is_none(),
        }
    }
    let mut shapes = Vec::new();
    for (name, content_type) in &media {
        let settings =
            contract.settings.errors.iter().find(|(key, _)| pascal(key) == *name).map(|(_, found)| found);
        let schema = contract.schemas.iter().find(|(key, _)| pascal(key) == *name).map(|(_, schema)| schema);
        let constant = format_ident!("{}", snake(name).to_uppercase());
        let members = members(schema.unwrap_or(&Value::Null), settings);
        let codes = codes(settings);
        let doc = format!(" Errors as `{name}`.");
        shapes.push(quote! {
            #[doc = #doc]
            pub static #constant: ErrorShape = ErrorShape {
                schema: #name,
                content_type: #content_type,
                members: &[#(#members),*],
                codes: &[#(#codes),*],
            };
        });
    }
    if plain {
        shapes.push(quote! {
            /// Errors where the contract documents none.
            pub static PLAIN: ErrorShape = ErrorShape {
                schema: "",
                content_type: "application/json",
                members: &[
                    ErrorMember { name: "code", optional: false, field: ErrorField::Code },
                    ErrorMember { name: "message", optional: false, field: ErrorField::Message },
                    ErrorMember { name: "details", optional: true, field: ErrorField::Details },
                ],
                codes: &[],
            };
        });
    }
    quote! {
        #[allow(unused_imports, reason = "not every contract names codes")]
        use crate::runtime::{ErrorShape, ErrorField, ErrorMember, Problem};

        #(#shapes)*
    }
}

fn codes(settings: Option<&ErrorSettings>) -> Vec<TokenStream> {
    let known = [
        ("invalid", "Invalid"),
        ("too_large", "TooLarge"),
        ("media_type", "MediaType"),
        ("method", "Method"),
        ("not_found", "NotFound"),
        ("unauthenticated", "Unauthenticated"),
        ("forbidden", "Forbidden"),
        ("feature", "FeatureNotAvailable"),
        ("rate_limited", "RateLimited"),
        ("internal", "Internal"),
        ("unavailable", "Unavailable"),
        ("not_implemented", "NotImplemented"),
    ];
    let named = known.iter().filter_map(|(key, problem)| {
        let code = settings?.codes.get(*key)?;
        let problem = format_ident!("{problem}");
        Some(quote!((Problem::#problem, #code)))
    });
    named.collect()
}

/// Members of an error body. What the settings do not say is read off names and types.
fn members(schema: &Value, settings: Option<&ErrorSettings>) -> Vec<TokenStream> {
    let properties: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let pick = |said: Option<&String>, usual: &[&str]| -> Option<String> {
        if settings.is_some() {
            return said.cloned();
        }
        let found = usual.iter().find(|name| properties.iter().any(|(known, _)| known == *name));
        found.map(|name| (*name).to_owned())
    };
    let code =
        pick(settings.and_then(|s| s.code.as_ref()), &["code", "error_code", "errorCode", "error", "type"]);
    let message = pick(
        settings.and_then(|s| s.message.as_ref()),
        &["message", "error_description", "detail", "title", "description", "msg"],
    );
    let details = pick(settings.and_then(|s| s.details.as_ref()), &["details", "errors"]);
    let mut out = Vec::new();
    for (name, property) in properties {
        let kind = property["type"].as_str();
        let is = |wanted: &Option<String>| wanted.as_ref() == Some(name);
        let fill = if let Some(value) = property.get("const") {
            let json = value.to_string();
            quote!(ErrorField::Const(#json))
        } else if is(&code) && kind == Some("integer") {
            quote!(ErrorField::Status)
        } else if is(&code) {
            quote!(ErrorField::Code)
        } else if is(&message) {
            quote!(ErrorField::Message)
        } else if is(&details) && kind == Some("array") {
            quote!(ErrorField::Details)
        } else if ["request_id", "requestId", "trace_id", "traceId"].contains(&name.as_str()) {
            quote!(ErrorField::RequestId)
        } else if ["status", "statusCode", "status_code"].contains(&name.as_str()) && kind == Some("integer")
        {
            quote!(ErrorField::Status)
        } else if required.contains(&name.as_str()) {
            match kind {
                Some("integer" | "number") => quote!(ErrorField::Status),
                Some("boolean") => quote!(ErrorField::Const("false")),
                Some("array") => quote!(ErrorField::Const("[]")),
                Some("object") => quote!(ErrorField::Const("{}")),
                _ => quote!(ErrorField::Message),
            }
        } else {
            continue;
        };
        let optional = !required.contains(&name.as_str());
        out.push(quote!(ErrorMember { name: #name, optional: #optional, field: #fill }));
    }
    out
}
