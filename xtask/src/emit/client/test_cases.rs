//! Test cases for every operation: a call with sample values for each accepted kind of credential, and a sample
//! response. Hand-written tests compare what is sent with the contract itself.

use anyhow::Result;
use quote::{format_ident, quote};
use serde_json::Value;

use super::builders::Entry;
use super::plan::{Body, Callers, Input, InputType, PayloadKind, Plan, ResponseBody, Role};
use super::{Names, sample, test_folder};
use crate::model::{Contract, Status, TypeRef};
use crate::output::File;

/// The generated part of the test.
pub fn emit(contract: &Contract, entries: &[Entry<'_>], names: &Names, mark: &str) -> Result<Vec<File>> {
    let krate = format_ident!("{}", names.krate);
    let mut functions = proc_macro2::TokenStream::new();
    let mut arms = proc_macro2::TokenStream::new();
    let mut cases = Vec::new();
    for entry in entries {
        let plan = &entry.plan;
        let kinds = match plan.callers() {
            Callers::Any => vec![String::new()],
            Callers::Kinds(kinds) => kinds,
        };
        let id = &plan.operation.id;
        for kind in &kinds {
            let function = format_ident!(
                "{}_as_{}",
                plan.operation.name,
                if kind.is_empty() { "anonymous" } else { kind }
            );
            let credential = format_ident!("{}", names.credential(kind));
            let client = match kind.is_empty() {
                true => quote!(client.with_credential(#krate::Anonymous)),
                false => {
                    let secret = format!("secret-of-{kind}");
                    quote!(client.with_credential(#krate::#credential::new(#secret)))
                }
            };
            let method = &plan.method;
            let arguments = plan.arguments().map(|input| argument(contract, plan, input, names));
            let setters = plan
                .setters()
                .filter(|input| !matches!(input.role, Role::Accept | Role::ContentType))
                .map(|input| {
                    let name = &input.name;
                    let value = argument(contract, plan, input, names);
                    quote!(.#name(#value))
                });
            functions.extend(quote! {
                async fn #function(client: &Client) -> Result<u16, Error> {
                    let response = #client.#method(#(#arguments),*) #(#setters)* .send().await?;
                    Ok(response.status().as_u16())
                }
            });
            arms.extend(quote!((#id, #kind) => Box::pin(#function(client)),));
        }
        let success = &plan.responses[0];
        let status = match success.status {
            Status::Code(code) => code,
            Status::Class(class) => class * 100,
            Status::Default => 200,
        };
        let response = plan.operation.successes().find(|response| response.status == success.status);
        let media = response.and_then(|response| response.media.first());
        let content_type = media.map_or("", |media| media.content_type.as_str());
        let body = match (&success.body, media) {
            (ResponseBody::Json(_), Some(media)) => {
                let sampled = media.example.clone().unwrap_or_else(|| sample::value(contract, &media.schema));
                serde_json::to_string(&sampled)?
            }
            (ResponseBody::Text | ResponseBody::Stream, _) => "text".into(),
            _ => String::new(),
        };
        cases.push(quote!(Case { id: #id, kinds: &[#(#kinds),*], status: #status, content_type: #content_type, body: #body }));
    }
    let tokens = quote! {
        #![allow(deprecated)]
        use std::pin::Pin;

        use #krate::{Client, Error};

        /// An operation, its kinds of credential, and a documented response.
        pub struct Case {
            /// The contract's `operationId`.
            pub id: &'static str,
            /// Accepted kinds of credential; the empty one is none.
            pub kinds: &'static [&'static str],
            /// Status of the response.
            pub status: u16,
            /// Media type of the response.
            pub content_type: &'static str,
            /// Body of the response.
            pub body: &'static str,
        }

        /// Every operation of the contract.
        pub static CASES: &[Case] = &[#(#cases),*];

        /// Calls an operation with every parameter set, and returns the status that came back.
        pub fn call<'c>(
            id: &str,
            kind: &str,
            client: &'c Client,
        ) -> Pin<Box<dyn Future<Output = Result<u16, Error>> + Send + 'c>> {
            match (id, kind) {
                #arms
                _ => panic!("no test case of {id} as {kind:?}"),
            }
        }

        fn json<T: serde::de::DeserializeOwned>(text: &str) -> T {
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
        }

        #functions
    };
    let tokens = if tokens.to_string().contains("json (\"") {
        tokens
    } else {
        // Nothing needs it in a contract without typed parameters and bodies.
        quote!(#![allow(dead_code)] #tokens)
    };
    Ok(vec![File::rust(
        format!("{}/mod.rs", test_folder(contract)),
        mark,
        "A test case for every operation.",
        tokens,
    )?])
}

fn argument(contract: &Contract, plan: &Plan<'_>, input: &Input, names: &Names) -> proc_macro2::TokenStream {
    let krate = format_ident!("{}", names.krate);
    let media = plan.operation.body.as_ref().map(|body| &body.media[0]);
    let sampled = match &input.role {
        Role::Param(index, _) => sample::value(contract, &plan.operation.params[*index].schema),
        Role::Body => match media {
            Some(media) => media.example.clone().unwrap_or_else(|| sample::value(contract, &media.schema)),
            None => Value::Null,
        },
        _ => Value::from("text"),
    };
    match &input.ty {
        InputType::Upload => {
            quote!(#krate::Upload::bytes("content").file_name("name.txt").content_type("text/plain"))
        }
        InputType::Contract(TypeRef::String) => {
            let text = sampled.as_str().unwrap_or("text");
            quote!(#text)
        }
        InputType::Contract(_) => {
            let text = sampled.to_string();
            quote!(json(#text))
        }
        InputType::Generated(name) => {
            let Body::Choice(variants) = &plan.body else { return quote!(()) };
            let (variant, payload) = &variants[0];
            let module = super::idents::ident(&names.module(plan.operation));
            let text = sampled.to_string();
            let value = match payload.kind {
                PayloadKind::Bytes => quote!(#krate::Upload::bytes("content")),
                PayloadKind::Text => quote!("text".into()),
                _ => quote!(json(#text)),
            };
            quote!(#krate::#module::#name::#variant(#value))
        }
    }
}
