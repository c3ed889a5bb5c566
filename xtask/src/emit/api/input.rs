//! Input structs: parameters by name, and the body.

use anyhow::{Result, bail};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use serde_json::Value;

use super::{docs, ident, input_name, rust_type, table};
use crate::model::{Contract, Media, Operation, TypeRef};
use crate::name::{SCHEMA_PREFIX, escape, snake};

/// How the body of an operation is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// There is none.
    None,
    /// JSON.
    Json,
    /// `name=value` pairs.
    UrlEncoded,
    /// A multipart form.
    Form,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
}

fn reading_of(media: &Media) -> Reading {
    let content_type = media.content_type.to_ascii_lowercase();
    if content_type.contains("json") {
        Reading::Json
    } else if content_type.contains("urlencoded") {
        Reading::UrlEncoded
    } else if content_type.starts_with("multipart/") {
        Reading::Form
    } else if media.ty == TypeRef::String {
        Reading::Text
    } else {
        Reading::Bytes
    }
}

/// How the body is read; media types that would need different types are refused.
pub fn reading(operation: &Operation) -> Result<Reading> {
    let Some(body) = &operation.body else { return Ok(Reading::None) };
    let mut found = Reading::None;
    for media in &body.media {
        let this = reading_of(media);
        match found {
            Reading::None => found = this,
            _ if found == this => {}
            _ => bail!(
                "{}/requestBody/content/{}: a body that is sometimes one kind of media and sometimes another is not generated for servers; keep one kind",
                operation.pointer,
                escape(&media.content_type)
            ),
        }
    }
    Ok(found)
}

/// Properties of an object schema, references followed.
pub fn properties(contract: &Contract, schema: &Value) -> Vec<(String, Value)> {
    let target = schema["$ref"]
        .as_str()
        .and_then(|reference| contract.schemas.get(reference.strip_prefix(SCHEMA_PREFIX)?))
        .unwrap_or(schema);
    let properties = target["properties"].as_object().into_iter().flatten();
    properties.map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

/// The input struct of an operation, its form when it has one, and how it is read.
pub fn emit(contract: &Contract, operation: &Operation) -> Result<TokenStream> {
    let name = input_name(operation);
    let mut fields = Vec::new();
    let mut values = Vec::new();
    for param in &operation.params {
        let field = ident(&param.rust_name);
        let inner = match &param.ty {
            TypeRef::Nullable(inner) => rust_type(inner),
            other => rust_type(other),
        };
        let wire = &param.name;
        let location = table::location(param.place);
        let words = if param.description.is_empty() {
            format!("`{wire}` in the {:?}.", param.place).to_lowercase()
        } else {
            param.description.clone()
        };
        let doc = docs(&words);
        let there = param.required || param.default.as_ref().is_some_and(|value| !value.is_null());
        if there {
            fields.push(quote!(#doc pub #field: #inner,));
            values.push(quote!(#field: input.param(#location, #wire)?,));
        } else {
            fields.push(quote!(#doc pub #field: Option<#inner>,));
            values.push(quote!(#field: input.optional_param(#location, #wire)?,));
        }
    }
    let mut form = quote!();
    if let Some(body) = &operation.body {
        let (ty, required, optional) = match reading(operation)? {
            Reading::None => unreachable_body(operation)?,
            Reading::Json | Reading::UrlEncoded => {
                let ty = rust_type(&body.media[0].ty);
                for media in &body.media[1..] {
                    if media.ty != body.media[0].ty {
                        bail!(
                            "{}/requestBody: its media types carry different schemas; give them one",
                            operation.pointer
                        );
                    }
                }
                (ty, quote!(input.body()?), quote!(input.optional_body()?))
            }
            Reading::Text => (
                quote!(TextBody),
                quote!(input.text().ok_or_else(runtime::missing_body)?),
                quote!(input.text()),
            ),
            Reading::Bytes => (
                quote!(BytesBody),
                quote!(input.bytes().ok_or_else(runtime::missing_body)?),
                quote!(input.bytes()),
            ),
            Reading::Form => {
                let name = format_ident!("{}Form", operation.type_name);
                form = form_struct(contract, operation, &body.media[0])?;
                (
                    quote!(#name),
                    quote!(#name::read(input.form().ok_or_else(runtime::missing_body)?)?),
                    quote!(input.form().map(#name::read).transpose()?),
                )
            }
        };
        if body.required {
            fields.push(quote!(/** The request body. */ pub body: #ty,));
            values.push(quote!(body: #required,));
        } else {
            fields.push(quote!(/** The request body, when one was sent. */ pub body: Option<#ty>,));
            values.push(quote!(body: #optional,));
        }
    }
    let doc = format!(" Input of `{}`: {} {}.", operation.id, operation.method, operation.path);
    let secret = operation.params.iter().any(|param| is_secret(&param.name));
    let (derive, debug) = if secret {
        let text = name.to_string();
        (
            quote!(#[derive(Clone, PartialEq)]),
            quote! {
                impl std::fmt::Debug for #name {
                    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        // Some of its parameters are secrets.
                        f.debug_struct(#text).finish_non_exhaustive()
                    }
                }
            },
        )
    } else {
        (quote!(#[derive(Debug, Clone, PartialEq)]), quote!())
    };
    let parameter =
        if values.is_empty() { quote!(_: &mut ValidatedInput) } else { quote!(input: &mut ValidatedInput) };
    Ok(quote! {
        #[doc = #doc]
        #derive
        pub struct #name {
            #(#fields)*
        }

        #debug

        impl #name {
            fn read(#parameter) -> Result<Self, Fault> {
                Ok(Self { #(#values)* })
            }
        }

        #form
    })
}

fn unreachable_body(operation: &Operation) -> Result<(TokenStream, TokenStream, TokenStream)> {
    bail!("{}/requestBody: has no media type", operation.pointer)
}

/// Names of parameters that are not for logs.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "credential", "authorization", "apikey", "api_key"]
        .iter()
        .any(|word| name.contains(word))
        || name == "code"
}

fn form_struct(contract: &Contract, operation: &Operation, media: &Media) -> Result<TokenStream> {
    let name = format_ident!("{}Form", operation.type_name);
    let schemas = properties(contract, &media.schema);
    let mut fields = Vec::new();
    let mut values = Vec::new();
    for field in &media.fields {
        let wire = &field.name;
        let rust = ident(&snake(wire));
        let schema = schemas.iter().find(|(known, _)| known == wire).map(|(_, schema)| schema.clone());
        let schema = schema.unwrap_or(Value::Bool(true));
        let words = schema["description"].as_str().map_or_else(|| format!("`{wire}`."), str::to_owned);
        let doc = docs(&words);
        let pointer =
            format!("{}/requestBody/content/{}/schema", operation.pointer, escape(&media.content_type));
        let (ty, required, optional) = if field.binary {
            (quote!(FilePart), quote!(form.file(#wire)?), quote!(form.optional_file(#wire)))
        } else {
            let ty = match TypeRef::of(&schema, &pointer)? {
                TypeRef::Nullable(inner) => rust_type(&inner),
                other => rust_type(&other),
            };
            (ty, quote!(form.field(#wire)?), quote!(form.optional_field(#wire)?))
        };
        if field.required {
            fields.push(quote!(#doc pub #rust: #ty,));
            values.push(quote!(#rust: #required,));
        } else {
            fields.push(quote!(#doc pub #rust: Option<#ty>,));
            values.push(quote!(#rust: #optional,));
        }
    }
    let doc = format!(" The form of `{}`.", operation.id);
    let form = if values.is_empty() { quote!(_: runtime::Form) } else { quote!(mut form: runtime::Form) };
    Ok(quote! {
        #[doc = #doc]
        #[derive(Debug, Clone, PartialEq)]
        pub struct #name {
            #(#fields)*
        }

        impl #name {
            fn read(#form) -> Result<Self, Fault> {
                Ok(Self { #(#values)* })
            }
        }
    })
}
