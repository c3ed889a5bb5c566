//! The types crate: structs by typify, then a pass over its syntax tree for what typify does not offer:
//! three-state fields, open enums, constants, constructors, documentation, one file per tag.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow};
use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use serde_json::Value;
use syn::visit_mut::VisitMut;

use crate::emit::prose::{self, Presence};
use crate::model::Contract;
use crate::name::{is_nullable, pascal, snake};
use crate::output::File;

mod docs;
mod member;
mod rewrite;
pub mod table;
mod typify_input;

use member::{derives, owned_text, renamed, serde_default, three_state, wire_name};
use rewrite::{Prelude, Rename, Rfc3339, holds_date_time};
pub use typify_input::{BOUNDARY_KEYWORDS, TYPED_FORMATS, requires_only};

/// Where the generated files go, below the output root.
pub fn folder(contract: &Contract) -> String {
    format!("{}-types/src/generated", contract.prefix())
}

/// The generated files of the types crate.
pub fn emit(contract: &Contract) -> Result<Vec<File>> {
    let file = typify_input::raw(contract)?;
    let (sent, received) = contract.directions();
    let schemas: BTreeMap<String, (&String, &Value)> =
        contract.schemas.iter().map(|(name, schema)| (pascal(name), (name, schema))).collect();
    let mut pass = Pass {
        contract,
        sent: sent.iter().map(|name| pascal(name)).collect(),
        received: received.iter().map(|name| pascal(name)).collect(),
        docs: docs::Docs::new(contract),
        items: BTreeMap::new(),
        defaults: None,
        schemas,
        renamed_variants: BTreeMap::new(),
        date_times: BTreeMap::new(),
        prelude: Prelude { shadowed: contract.schemas.keys().map(|name| pascal(name)).collect() },
    };
    for item in file.items {
        pass.item(item)?;
    }
    pass.files()
}

struct Pass<'a> {
    contract: &'a Contract,
    /// Types that a server sends.
    sent: BTreeSet<String>,
    /// Types that a server receives.
    received: BTreeSet<String>,
    docs: docs::Docs<'a>,
    /// Code by the type it belongs to.
    items: BTreeMap<String, TokenStream>,
    defaults: Option<syn::ItemMod>,
    schemas: BTreeMap<String, (&'a String, &'a Value)>,
    prelude: Prelude,
    /// Variants named after the titles of their schemas.
    renamed_variants: BTreeMap<String, Rename>,
    /// Variants that hold a date and time.
    date_times: BTreeMap<String, Rfc3339>,
}

/// Attributes that mark enums until they become macro calls, and the names of the macros.
const OPEN_ENUM: &str = "open_enum";
const CLOSED_ENUM: &str = "closed_enum";

impl Pass<'_> {
    fn item(&mut self, item: syn::Item) -> Result<()> {
        match item {
            syn::Item::Struct(item) => self.structure(item),
            syn::Item::Enum(item) => self.enumeration(item),
            syn::Item::Impl(item) => self.implementation(item),
            syn::Item::Mod(item) if item.ident == "defaults" => self.defaults = Some(item),
            // typify's conversion error. No code that is kept uses it.
            syn::Item::Mod(_) => {}
            other => {
                return Err(anyhow!("typify wrote an unexpected item: {}", other.to_token_stream()));
            }
        }
        Ok(())
    }

    fn structure(&mut self, mut item: syn::ItemStruct) {
        let name = item.ident.to_string();
        let mut derives_default = derives(&item.attrs, "Default");
        let transparent =
            item.attrs.iter().filter(|attr| attr.path().is_ident("serde")).cloned().collect::<Vec<_>>();
        self.prelude.visit_item_struct_mut(&mut item);
        item.attrs = transparent;
        let ident = item.ident.clone();
        let mut fields: Vec<(usize, syn::Field, Option<syn::FnArg>, TokenStream)> = Vec::new();
        let doc = self.docs.of_type(&name);
        let mut small = true;
        if let syn::Fields::Named(named) = &item.fields {
            let schema = self.schemas.get(&name).map(|(_, schema)| *schema);
            let own_names: BTreeMap<String, String> =
                schema.into_iter().flat_map(typify_input::members).map(|(own, shown)| (shown, own)).collect();
            for field in &named.named {
                let mut field = field.clone();
                let field_ident = field.ident.clone().unwrap_or_else(|| format_ident!("value"));
                let shown = wire_name(&field, &field_ident);
                let wire = own_names.get(&shown).cloned().unwrap_or_else(|| shown.clone());
                if wire != shown {
                    field.attrs.push(syn::parse_quote!(#[serde(rename = #wire)]));
                }
                let property = schema.and_then(|schema| schema["properties"].get(&wire));
                let required = schema.is_some_and(|schema| {
                    schema["required"]
                        .as_array()
                        .is_some_and(|all| all.iter().any(|name| *name == wire.as_str()))
                });
                let position = schema
                    .and_then(|schema| schema["properties"].as_object())
                    .and_then(|all| all.keys().position(|key| *key == wire))
                    .unwrap_or(usize::MAX);
                if let Some(property) = property
                    && !required
                    && property.get("default").is_none()
                    && is_nullable(property)
                {
                    three_state(&mut field, &wire, &field_ident);
                }
                field.attrs.retain(|attr| !attr.path().is_ident("doc"));
                let presence = match (required, self.received.contains(&name)) {
                    (false, _) => Presence::Optional,
                    (true, true) => Presence::Required,
                    (true, false) => Presence::Present,
                };
                let lines = property.map_or_else(
                    || vec!["Properties that the contract does not define, by name.".to_owned()],
                    |property| prose::property(&wire, property, presence),
                );
                for line in lines.iter().rev() {
                    let line = format!(" {line}");
                    field.attrs.insert(0, syn::parse_quote!(#[doc = #line]));
                }
                let ty = &field.ty;
                let defaulted = serde_default(&field);
                let constant = ty.to_token_stream().to_string().contains("Const") && required;
                let (argument, value) = if constant {
                    (None, quote!(#field_ident: Default::default()))
                } else if required {
                    match owned_text(ty) {
                        true => (
                            Some(syn::parse_quote!(#field_ident: impl Into<String>)),
                            quote!(#field_ident: #field_ident.into()),
                        ),
                        false => (Some(syn::parse_quote!(#field_ident: #ty)), quote!(#field_ident)),
                    }
                } else if let Some(function) = defaulted {
                    let function: syn::Expr =
                        syn::parse_str(&function).unwrap_or_else(|_| syn::parse_quote!(Default::default));
                    (None, quote!(#field_ident: #function()))
                } else {
                    (None, quote!(#field_ident: Default::default()))
                };
                fields.push((position, field, argument, value));
            }
            // typify does not know that a constant has a default.
            let functions = fields.iter().any(|(_, field, ..)| serde_default(field).is_some());
            derives_default |= !functions && fields.iter().all(|(_, _, argument, _)| argument.is_none());
            small = fields.iter().filter(|(_, _, argument, _)| argument.is_some()).count() <= 4;
        } else if let syn::Fields::Unnamed(unnamed) = &mut item.fields {
            for field in &mut unnamed.unnamed {
                field.attrs.retain(|attr| !attr.path().is_ident("doc"));
                field.attrs.insert(0, syn::parse_quote!(#[doc = " The wrapped value."]));
            }
        }
        let default = derives_default.then(|| quote!(, Default));
        let attrs = &item.attrs;
        let docs = doc.iter().map(|line| format!(" {line}"));
        let tokens = if fields.is_empty() {
            let fields = &item.fields;
            let semicolon = item.semi_token;
            quote! {
                #(#[doc = #docs])*
                #[derive(Debug, Clone, PartialEq #default, ::serde::Serialize, ::serde::Deserialize)]
                #(#attrs)*
                pub struct #ident #fields #semicolon
            }
        } else {
            fields.sort_by_key(|(position, ..)| *position);
            let members = fields.iter().map(|(_, field, ..)| field);
            let arguments: Vec<&syn::FnArg> =
                fields.iter().filter_map(|(_, _, argument, _)| argument.as_ref()).collect();
            let values = fields.iter().map(|(_, _, _, value)| value);
            let constructor = (small && !(arguments.is_empty() && derives_default)).then(|| {
                let doc = if arguments.is_empty() {
                    " Creates a value without optional fields. Fields with a default have it."
                } else {
                    " Creates a value from its required fields. Fields with a default have it; other optional fields are unset."
                };
                quote! {
                    impl #ident {
                        #[doc = #doc]
                        pub fn new(#(#arguments),*) -> Self {
                            Self { #(#values),* }
                        }
                    }
                }
            });
            let (derived, debug) = self.debug(&name, &ident, &fields);
            quote! {
                #(#[doc = #docs])*
                #[derive(#derived Clone, PartialEq #default, ::serde::Serialize, ::serde::Deserialize)]
                #(#attrs)*
                pub struct #ident { #(#members),* }
                #constructor
                #debug
            }
        };
        self.push(&name, tokens);
    }

    /// `Debug` is derived, unless a property has the format `password`; those are redacted.
    fn debug(
        &self,
        name: &str,
        ident: &syn::Ident,
        fields: &[(usize, syn::Field, Option<syn::FnArg>, TokenStream)],
    ) -> (TokenStream, Option<TokenStream>) {
        let schema = self.schemas.get(name).map(|(_, schema)| *schema);
        let mut secret = false;
        let mut members = Vec::new();
        for (_, field, ..) in fields {
            let Some(field_ident) = &field.ident else { continue };
            let wire = wire_name(field, field_ident);
            let label = field_ident.to_string();
            if schema.is_some_and(|schema| schema["properties"][&wire]["format"] == "password") {
                secret = true;
                members.push(quote!(.field(#label, &"[redacted]")));
            } else {
                members.push(quote!(.field(#label, &self.#field_ident)));
            }
        }
        if !secret {
            return (quote!(Debug,), None);
        }
        let title = ident.to_string();
        let debug = quote! {
            impl ::std::fmt::Debug for #ident {
                fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                    formatter.debug_struct(#title)#(#members)*.finish()
                }
            }
        };
        (quote!(), Some(debug))
    }

    fn enumeration(&mut self, mut item: syn::ItemEnum) {
        let name = item.ident.to_string();
        let ident = item.ident.clone();
        let docs: Vec<String> = self.docs.of_type(&name).iter().map(|line| format!(" {line}")).collect();
        let text = self.schemas.get(&name).and_then(|(_, schema)| schema["enum"].as_array());
        if text.is_some() && item.variants.iter().all(|variant| variant.fields.is_empty()) {
            let open = self.sent.contains(&name);
            let values = text.into_iter().flatten().filter_map(Value::as_str);
            let shown = self.schemas.get(&name).and_then(|(_, schema)| typify_input::variants(schema));
            let own_values: BTreeMap<String, &str> = shown.into_iter().flatten().zip(values).collect();
            let mut variants = TokenStream::new();
            for variant in &item.variants {
                let mut variant_ident = variant.ident.clone();
                let wire = renamed(&variant.attrs).unwrap_or_else(|| variant.ident.to_string());
                let wire = own_values.get(&wire).map_or(wire, |own| (*own).to_owned());
                if open && variant_ident == "Unknown" {
                    variant_ident = format_ident!("UnknownValue");
                }
                variants.extend(quote!(#variant_ident = #wire,));
            }
            let keyword = format_ident!("{}", if open { OPEN_ENUM } else { CLOSED_ENUM });
            // An enum item for the formatter; `invoke_enum_macros` makes it the macro call.
            self.push(&name, quote!(#[#keyword] #(#[doc = #docs])* pub enum #ident { #variants }));
            return;
        }
        let titles: Vec<&str> = self
            .schemas
            .get(&name)
            .and_then(|(_, schema)| schema.get("oneOf").or_else(|| schema.get("anyOf")))
            .and_then(Value::as_array)
            .map(|branches| branches.iter().filter_map(|branch| branch["title"].as_str()).collect())
            .unwrap_or_default();
        if titles.len() == item.variants.len() {
            let names = item
                .variants
                .iter_mut()
                .zip(&titles)
                .map(|(variant, title)| {
                    let new = format_ident!("{}", pascal(title));
                    (std::mem::replace(&mut variant.ident, new.clone()), new)
                })
                .collect();
            self.renamed_variants.insert(name.clone(), Rename(names));
        }
        let date_times = item
            .variants
            .iter()
            .filter(|variant| holds_date_time(variant))
            .map(|variant| variant.ident.clone());
        self.date_times.insert(name.clone(), Rfc3339(date_times.collect()));
        self.prelude.visit_item_enum_mut(&mut item);
        item.attrs.retain(|attr| attr.path().is_ident("serde"));
        for variant in &mut item.variants {
            variant.attrs.retain(|attr| attr.path().is_ident("serde"));
            let line = match &variant.fields {
                syn::Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                    let ty = type_text(&fields.unnamed[0].ty);
                    format!(" A value of type `{ty}`.")
                }
                _ => format!(" Alternative `{}`.", variant.ident),
            };
            variant.attrs.insert(0, syn::parse_quote!(#[doc = #line]));
            for field in &mut variant.fields {
                field.attrs.retain(|attr| attr.path().is_ident("serde"));
                if field.ident.is_some() {
                    field.attrs.insert(0, syn::parse_quote!(#[doc = " A property of this alternative."]));
                }
            }
        }
        let attrs = &item.attrs;
        let variants = &item.variants;
        self.push(
            &name,
            quote! {
                #(#[doc = #docs])*
                #[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
                #(#attrs)*
                pub enum #ident { #variants }
            },
        );
    }

    fn implementation(&mut self, mut item: syn::ItemImpl) {
        let syn::Type::Path(path) = &*item.self_ty else { return };
        let mut owner =
            path.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        if !self.schemas.contains_key(&owner) && !self.items.contains_key(&owner) {
            // `impl From<Newtype> for String` belongs to the newtype.
            let all = item
                .trait_
                .as_ref()
                .map(|(_, path, _)| path.to_token_stream().to_string())
                .unwrap_or_default();
            let inside =
                all.rsplit_once('<').map(|(_, inside)| inside.trim_end_matches('>').trim().to_owned());
            owner = inside.unwrap_or_default();
        }
        let text_enum = self.schemas.get(&owner).is_some_and(|(_, schema)| schema["enum"].is_array());
        let borrowed =
            item.trait_.as_ref().is_some_and(|(_, path, _)| path.to_token_stream().to_string().contains('&'));
        let conversion = item.to_token_stream().to_string().contains("ConversionError");
        if text_enum || conversion || (borrowed && !item.to_token_stream().to_string().contains("& str")) {
            return;
        }
        self.prelude.visit_item_impl_mut(&mut item);
        if let Some(rename) = self.renamed_variants.get_mut(&owner) {
            rename.visit_item_impl_mut(&mut item);
        }
        if let Some(date_times) = self.date_times.get_mut(&owner) {
            date_times.visit_item_impl_mut(&mut item);
        }
        self.push(&owner, item.to_token_stream());
    }

    fn push(&mut self, owner: &str, tokens: TokenStream) {
        self.items.entry(owner.to_owned()).or_default().extend(tokens);
    }

    fn files(mut self) -> Result<Vec<File>> {
        let mark = self.contract.mark();
        let folder = folder(self.contract);
        let homes = self.contract.home();
        let mut modules: BTreeMap<String, (String, TokenStream)> = BTreeMap::new();
        // In the contract's order, so that a diff of the contract reads like a diff of the code.
        let mut order: Vec<String> = self.contract.schemas.keys().map(|name| pascal(name)).collect();
        order.extend(self.items.keys().filter(|name| !self.schemas.contains_key(*name)).cloned());
        for name in order {
            let Some(tokens) = self.items.remove(&name) else { continue };
            let tag = self.schemas.get(&name).and_then(|(name, _)| homes.get(*name).cloned().flatten());
            let (module, title) = tag.map_or_else(
                || ("shared".to_owned(), "Types that operations of several tags share.".to_owned()),
                |tag| {
                    let module = snake(&tag);
                    let taken = ["defaults", "mod"].contains(&module.as_str())
                        || syn::parse_str::<syn::Ident>(&module).is_err();
                    let module = if taken { format!("{module}_types") } else { module };
                    (module, format!("Types of operations tagged `{tag}`."))
                },
            );
            modules.entry(module).or_insert_with(|| (title, TokenStream::new())).1.extend(tokens);
        }
        let mut files = Vec::new();
        let names: Vec<syn::Ident> = modules.keys().map(|name| format_ident!("{name}")).collect();
        for (module, (title, tokens)) in modules {
            let tokens = quote! {
                #[allow(unused_imports)]
                use super::*;
                #tokens
            };
            let mut file = File::rust(format!("{folder}/{module}.rs"), &mark, &title, tokens)?;
            file.text = invoke_enum_macros(&file.text);
            files.push(file);
        }
        let defaults = match self.defaults.take() {
            Some(mut module) => {
                self.prelude.visit_item_mod_mut(&mut module);
                let items = module.content.map(|(_, items)| items).unwrap_or_default();
                files.push(File::rust(
                    format!("{folder}/defaults.rs"),
                    &mark,
                    "Default values of optional properties.",
                    quote!(#(#items)*),
                )?);
                Some(quote!(
                    mod defaults;
                ))
            }
            None => None,
        };
        let title = format!("Types for every schema of {} {}.", self.contract.title, self.contract.version);
        files.push(File::rust(
            format!("{folder}/mod.rs"),
            &mark,
            &title,
            quote! {
                #defaults
                #(mod #names;)*
                #(pub use #names::*;)*
            },
        )?);
        Ok(files)
    }
}

/// Turns formatted enums marked for a macro into calls of it: a formatter leaves the inside of a call alone.
fn invoke_enum_macros(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for line in text.lines() {
        let keyword = [OPEN_ENUM, CLOSED_ENUM].into_iter().find(|keyword| line == format!("#[{keyword}]"));
        if let Some(keyword) = keyword {
            inside = true;
            out.push_str(&format!("crate::support::{keyword}! {{\n"));
            continue;
        }
        if inside {
            out.push_str("    ");
        }
        out.push_str(line);
        out.push('\n');
        if inside && line == "}" {
            inside = false;
            out.push_str("}\n");
        }
    }
    out
}

/// A type without the paths of its names: `DateTime<Utc>`.
fn type_text(ty: &syn::Type) -> String {
    let text: String = ty.to_token_stream().to_string().split_whitespace().collect();
    let last = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
    text.split_inclusive(['<', '>', ',']).map(last).collect()
}
