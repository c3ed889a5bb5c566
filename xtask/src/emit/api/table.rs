//! Operations as constants.

use anyhow::Result;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::input::{self, Reading};
use super::{constant, errors, input_name, kind};
use crate::model::{Contract, Operation, Param, ParamLocation};

/// Bytes that a body may have, by how it is read.
const JSON_LIMIT: usize = 1024 * 1024;
const FORM_LIMIT: usize = 64 * 1024;
const FILE_LIMIT: usize = 26 * 1024 * 1024;

/// The operation's table, and the impl that ties its input to it.
pub fn emit(contract: &Contract, index: usize, operation: &Operation, success: u16) -> Result<TokenStream> {
    let constant = constant(operation);
    let input = input_name(operation);
    let doc = format!(" `{}`: {} {}.", operation.id, operation.method, operation.path);
    let Operation { id, name, method, path, pointer, tag, addition, tenant, anonymous, .. } = operation;
    let params = params(contract, &operation.params)?;
    let body = body(contract, operation)?;
    let accepts = operation.principals.iter().map(|accepted| {
        let (kind, scopes, roles) = (&accepted.kind, &accepted.scopes, &accepted.roles);
        let scopes = scopes.iter().map(|any| quote!(&[#(#any),*]));
        quote!(Access { kind: #kind, scopes: &[#(#scopes),*], roles: &[#(#roles),*] })
    });
    let feature = match &operation.feature {
        Some(feature) => quote!(Some(#feature)),
        None => quote!(None),
    };
    let shape = errors::shape_of(contract, operation);
    // One method per path is a thing of the pointer: the document's own path is in there, prefixes are not.
    Ok(quote! {
        #[doc = #doc]
        pub static #constant: Operation = Operation {
            index: #index,
            id: #id,
            name: #name,
            method: #method,
            path: #path,
            pointer: #pointer,
            tag: #tag,
            success: #success,
            addition: #addition,
            tenant: #tenant,
            params: &[#(#params),*],
            body: #body,
            accepts: &[#(#accepts),*],
            feature: #feature,
            anonymous: #anonymous,
            errors: &errors::#shape,
        };

        impl HasOperation for #input {
            const OPERATION: &'static Operation = &#constant;
        }
    })
}

/// Parameters as constants.
pub fn params(contract: &Contract, params: &[Param]) -> Result<Vec<TokenStream>> {
    params
        .iter()
        .map(|param| {
            let (name, required) = (&param.name, param.required);
            let location = location(param.place);
            let kind = kind(contract, &param.schema)?;
            let default = match &param.default {
                Some(value) if !value.is_null() => {
                    let json = value.to_string();
                    quote!(Some(#json))
                }
                _ => quote!(None),
            };
            let description = param.description.split_whitespace().collect::<Vec<_>>().join(" ");
            Ok(quote! {
                Param {
                    name: #name,
                    location: #location,
                    required: #required,
                    value_type: #kind,
                    default: #default,
                    description: #description,
                }
            })
        })
        .collect()
}

/// A location as an expression.
pub fn location(location: ParamLocation) -> TokenStream {
    let name = format_ident!("{location:?}");
    quote!(ParamLocation::#name)
}

fn body(contract: &Contract, operation: &Operation) -> Result<TokenStream> {
    let Some(body) = &operation.body else { return Ok(quote!(None)) };
    let reading = input::reading(operation)?;
    let required = body.required;
    let limit = match reading {
        Reading::Form => FILE_LIMIT,
        Reading::Bytes => FILE_LIMIT,
        Reading::UrlEncoded => FORM_LIMIT,
        Reading::Json | Reading::Text | Reading::None => JSON_LIMIT,
    };
    let media = body
        .media
        .iter()
        .map(|media| {
            let content_type = &media.content_type;
            let form = match reading {
                Reading::Json | Reading::None => quote!(MediaForm::Json),
                Reading::Text => quote!(MediaForm::Text),
                Reading::Bytes => quote!(MediaForm::Bytes),
                Reading::UrlEncoded => {
                    let fields = input::properties(contract, &media.schema)
                        .into_iter()
                        .map(|(name, schema)| {
                            let kind = kind(contract, &schema)?;
                            Ok(quote!((#name, #kind)))
                        })
                        .collect::<Result<Vec<_>>>()?;
                    quote!(MediaForm::UrlEncoded(&[#(#fields),*]))
                }
                Reading::Form => {
                    let schemas = input::properties(contract, &media.schema);
                    let fields = media
                        .fields
                        .iter()
                        .map(|field| {
                            let (name, required, file) = (&field.name, field.required, field.binary);
                            let schema =
                                schemas.iter().find(|(known, _)| known == name).map(|(_, schema)| schema);
                            let kind = kind(contract, schema.unwrap_or(&serde_json::Value::Bool(true)))?;
                            Ok(quote! {
                                FormField { name: #name, required: #required, file: #file, value_type: #kind }
                            })
                        })
                        .collect::<Result<Vec<_>>>()?;
                    quote!(MediaForm::Multipart(&[#(#fields),*]))
                }
            };
            Ok(quote!(Media { content_type: #content_type, form: #form }))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        Some(runtime::Body { required: #required, media: &[#(#media),*], limit: #limit })
    })
}
