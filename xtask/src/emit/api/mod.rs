//! Emits the server trait: tables of operations, inputs, outputs, credentials, one handler per operation, and the
//! dropshot trait over them. What is the same for every contract is not emitted but hand-written, in the `runtime`
//! folder of the api crate.

mod credentials;
mod errors;
mod input;
mod names;
mod output;
mod routes;
mod table;

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use crate::model::{Contract, Operation, TypeRef};
use crate::name::{is_nullable, pascal};
use crate::output::File;

/// Module names that the emitter keeps for itself.
const OWN_MODULES: [&str; 17] = [
    "bytes",
    "chrono",
    "contract",
    "credentials",
    "dispatch",
    "dropshot",
    "errors",
    "generated",
    "http",
    "names",
    "principal",
    "runtime",
    "schemars",
    "serde_json",
    "serve",
    "std",
    "types",
];

/// Response headers that the runtime sets by itself, and that a page sees only where it is said.
const SET_BY_RUNTIME: [&str; 5] =
    ["Allow", "Content-Disposition", "Location", "WWW-Authenticate", "X-Request-Id"];

/// Every generated file of the server trait.
pub fn emit(contract: &Contract) -> Result<Vec<File>> {
    let folder = super::api_folder(contract);
    let file = |name: &str, doc: &str, tokens: TokenStream| {
        File::rust(format!("{folder}/{name}.rs"), &contract.mark(), doc, tokens)
    };
    let routes = routes::Routes::of(contract)?;
    let mut files = vec![
        file("mod", &format!("The server side of {} {}.", contract.title, contract.version), root(contract))?,
        file("credentials", "Kinds of credential and their principals.", credentials::emit(contract)?)?,
        file("errors", "Shapes of error bodies.", errors::emit(contract))?,
        file("names", "Names on the wire of what operations share.", names::emit(contract))?,
        file(
            "dispatch",
            "The dropshot trait: one endpoint per path and method.",
            routes::emit(contract, &routes)?,
        )?,
    ];
    for (tag, description) in &contract.tags {
        let operations: Vec<(usize, &Operation)> =
            contract.operations.iter().enumerate().filter(|(_, operation)| &operation.tag == tag).collect();
        let doc = if description.is_empty() {
            format!("Operations under {tag}.")
        } else {
            format!("{tag}: {description}")
        };
        let module = module(&crate::name::snake(tag));
        files.push(file(&module, &doc, tag_module(contract, tag, &operations)?)?);
    }
    Ok(files)
}

/// File and module name for a tag.
fn module(name: &str) -> String {
    let taken = OWN_MODULES.contains(&name) || name == "mod" || name.is_empty() || is_keyword(name);
    if taken { format!("{name}_operations") } else { name.to_owned() }
}

/// Names of the response headers that pages of other origins may read.
fn exposed(contract: &Contract) -> String {
    let answers = contract.operations.iter().flat_map(|operation| &operation.responses);
    let documented = answers.flat_map(|answer| &answer.headers).map(String::as_str);
    // Letters may differ in case; as the contract writes them is the last word.
    let all = SET_BY_RUNTIME.into_iter().chain(documented).map(|name| (name.to_lowercase(), name));
    all.collect::<BTreeMap<_, _>>().into_values().collect::<Vec<_>>().join(", ")
}

fn root(contract: &Contract) -> TokenStream {
    let exposed = exposed(contract);
    let mut modules = Vec::new();
    for tag in contract.tags.keys() {
        modules.push(format_ident!("{}", module(&crate::name::snake(tag))));
    }
    let operations = contract.operations.iter().map(|operation| {
        let module = format_ident!("{}", module(&operation.module()));
        let name = constant(operation);
        quote!(&#module::#name)
    });
    let traits = contract.tags.keys().map(|tag| tag_trait(tag));
    let traits = quote!(Operations #(+ #traits)*);
    let trait_name = trait_name(contract);
    let support = format_ident!("{}_mod", crate::name::snake(&trait_name.to_string()));
    let describe_doc = format!(
        " Everything of [`{trait_name}`], registered with dropshot; HEAD on paths that have GET, and a 405 response for other methods that a path lacks."
    );
    quote! {
        pub mod credentials;
        mod dispatch;
        mod errors;
        pub mod names;
        #(pub mod #modules;)*

        pub use credentials::*;
        pub use dispatch::#trait_name;
        #(pub use #modules::*;)*

        use crate::runtime;

        /// The effective contract, as JSON.
        pub const CONTRACT: &str = include_str!("contract.json");

        /// Every operation, in the contract's order.
        pub static OPERATIONS: &[&runtime::Operation] = &[#(#operations),*];

        /// Response headers that pages of other origins may read.
        pub const EXPOSED_HEADERS: &str = #exposed;

        /// What every group of operations shares: the state that handlers get.
        pub trait Operations: Send + Sync + 'static {
            /// State of the server.
            type Context: Authenticate;
        }

        /// All groups of operations together.
        pub trait AllOperations: #traits {}

        impl<T: #traits> AllOperations for T {}

        #[doc = #describe_doc]
        pub fn api_description<T: AllOperations>()
        -> Result<dropshot::ApiDescription<T::Context>, Box<dyn std::error::Error + Send + Sync>> {
            let mut api = dispatch::#support::api_description::<T>()?;
            runtime::register_missing_methods(&mut api, dispatch::ROUTES, OPERATIONS, |rqctx, operation, request| {
                Box::pin(dispatch::serve_head::<T>(rqctx, operation, request))
            })?;
            Ok(api)
        }

        /// The endpoints without handlers, for comparing dropshot's description with the contract.
        pub fn stub_api_description()
        -> Result<dropshot::ApiDescription<dropshot::StubContext>, dropshot::ApiDescriptionBuildErrors> {
            dispatch::#support::stub_api_description()
        }

        /// Methods and paths as dropshot routes them: a literal beside a variable goes by the variable's path.
        pub fn routes() -> &'static [(&'static str, &'static str)] {
            dispatch::ROUTES
        }

        /// Compiles the schemas of requests and responses.
        pub fn schema_validator() -> Result<runtime::SchemaValidator, runtime::SchemaError> {
            runtime::SchemaValidator::new(CONTRACT, OPERATIONS)
        }
    }
}

fn tag_module(contract: &Contract, tag: &str, operations: &[(usize, &Operation)]) -> Result<TokenStream> {
    let mut types = Vec::new();
    let mut handlers = Vec::new();
    let mut tables = Vec::new();
    let mut serving = Vec::new();
    for (index, operation) in operations {
        let output = output::Output::of(contract, operation)?;
        types.push(input::emit(contract, operation)?);
        types.push(output.definition());
        tables.push(table::emit(contract, *index, operation, output.status())?);
        handlers.push(handler(contract, operation, &output));
        serving.push(serve(contract, operation, &output));
    }
    let trait_name = tag_trait(tag);
    let doc = format!(" Handlers of the operations under {tag}: one each, all required.");
    let types_crate = format_ident!("{}_types", contract.prefix().replace('-', "_"));
    Ok(quote! {
        #![allow(unused_imports, clippy::wildcard_imports, reason = "not every group needs everything")]

        use dropshot::{Body, RequestContext};
        use http::Response;
        use #types_crate as types;

        use super::{Operations, credentials::*, errors};
        use crate::runtime::{
            self, Access, BytesBody, Content, Encoded, Fault, FilePart, FormField, HasOperation, Media, MediaForm,
            Operation, OperationContext, Param, ParamLocation, Redirect, TextBody, UnreadRequest, ValidatedInput,
            ValueType,
        };

        #[doc = #doc]
        pub trait #trait_name: Operations {
            #(#handlers)*
        }

        #(#types)*

        #(#tables)*

        /// From a request to a handler and back, one function per operation.
        pub(super) mod serve {
            use super::*;

            #(#serving)*
        }
    })
}

/// The declaration of the handler.
fn handler(contract: &Contract, operation: &Operation, output: &output::Output) -> TokenStream {
    let name = ident(&operation.name);
    let input = input_name(operation);
    let output_type = output.ty();
    let principal = credentials::principal_type(contract, operation).map(|ty| quote!(principal: #ty,));
    let mut doc = vec![format!("{} {}", operation.method, operation.path)];
    for text in [&operation.summary, &operation.description] {
        if !text.is_empty() {
            doc.push(String::new());
            doc.push(text.clone());
        }
    }
    for accepted in &operation.principals {
        doc.push(String::new());
        let mut line = format!("Accepts: {}", accepted.kind);
        if !accepted.scopes.is_empty() {
            let entries: Vec<String> = accepted.scopes.iter().map(|any| any.join("` or `")).collect();
            line.push_str(&format!(" with scope `{}`", entries.join("`, `")));
        }
        if !accepted.roles.is_empty() {
            line.push_str(&format!(" in role `{}`", accepted.roles.join("` or `")));
        }
        doc.push(line + ".");
    }
    if let Some(feature) = &operation.feature {
        doc.push(String::new());
        doc.push(format!("Needs the feature `{feature}`."));
    }
    for wrapper in output.wrappers() {
        doc.push(String::new());
        doc.push(format!("The output is the payload of `{wrapper}`."));
    }
    let doc = docs(&doc.join("\n"));
    quote! {
        #doc
        fn #name(
            cx: OperationContext<'_, Self::Context>,
            #principal
            input: #input,
        ) -> impl Future<Output = Result<#output_type, Fault>> + Send;
    }
}

/// The function between the endpoint and the handler.
fn serve(contract: &Contract, operation: &Operation, output: &output::Output) -> TokenStream {
    let name = ident(&operation.name);
    let constant = constant(operation);
    let input = input_name(operation);
    let tag = tag_trait(&operation.tag);
    let (principal, argument) = match credentials::principal_type(contract, operation) {
        None => (quote!(), quote!()),
        Some(_) if operation.anonymous => {
            (quote!(let principal = runtime::optional_principal(prepared.principal)?;), quote!(principal,))
        }
        Some(_) => {
            (quote!(let principal = runtime::required_principal(prepared.principal)?;), quote!(principal,))
        }
    };
    let encode = output.encode(quote!(output));
    quote! {
        pub async fn #name<T: #tag>(rqctx: &RequestContext<T::Context>, unread: UnreadRequest) -> Response<Body> {
            let mut prepared = match runtime::prepare(rqctx, &#constant, unread).await {
                Ok(prepared) => prepared,
                Err(response) => return *response,
            };
            let (server, call) = (rqctx.context(), prepared.call);
            let handler = Box::pin(async {
                let input = #input::read(&mut prepared.input)?;
                #principal
                let output = T::#name(OperationContext { server, call: &call }, #argument input).await?;
                #encode
            });
            runtime::respond(server, &call, handler).await
        }
    }
}

/// `RingnityApi`.
fn trait_name(contract: &Contract) -> Ident {
    format_ident!("{}Api", contract.display_name())
}

/// `ServerApiOperations`.
fn tag_trait(tag: &str) -> Ident {
    // `AllOperations` is the sum of them.
    if pascal(tag) == "All" {
        return format_ident!("AllTagOperations");
    }
    format_ident!("{}Operations", pascal(tag))
}

/// `ListContactsInput`.
fn input_name(operation: &Operation) -> Ident {
    format_ident!("{}Input", operation.type_name)
}

/// `LIST_CONTACTS`.
fn constant(operation: &Operation) -> Ident {
    format_ident!("{}", operation.name.to_uppercase())
}

fn is_keyword(name: &str) -> bool {
    syn::parse_str::<Ident>(name).is_err()
}

/// A name as an identifier, keywords included.
fn ident(name: &str) -> Ident {
    match name {
        "self" | "super" | "crate" | "Self" | "_" => format_ident!("{name}_"),
        _ if is_keyword(name) => Ident::new_raw(name, Span::call_site()),
        _ => format_ident!("{name}"),
    }
}

/// Documentation, line by line.
fn docs(text: &str) -> TokenStream {
    let lines =
        text.trim().lines().map(|line| if line.is_empty() { String::new() } else { format!(" {line}") });
    quote!(#(#[doc = #lines])*)
}

/// The Rust type for a model type.
fn rust_type(ty: &TypeRef) -> TokenStream {
    match ty {
        TypeRef::Named(name) => {
            let name = format_ident!("{name}");
            quote!(types::#name)
        }
        TypeRef::String | TypeRef::Bytes => quote!(String),
        TypeRef::I64 => quote!(i64),
        TypeRef::I32 => quote!(i32),
        TypeRef::F64 => quote!(f64),
        TypeRef::Bool => quote!(bool),
        TypeRef::DateTime => quote!(chrono::DateTime<chrono::Utc>),
        TypeRef::Date => quote!(chrono::NaiveDate),
        TypeRef::List(inner) => {
            let inner = rust_type(inner);
            quote!(Vec<#inner>)
        }
        TypeRef::Map(inner) if **inner == TypeRef::Any => quote!(serde_json::Map<String, serde_json::Value>),
        TypeRef::Map(inner) => {
            let inner = rust_type(inner);
            quote!(std::collections::BTreeMap<String, #inner>)
        }
        TypeRef::Nullable(inner) => {
            let inner = rust_type(inner);
            quote!(Option<#inner>)
        }
        TypeRef::Any => quote!(serde_json::Value),
    }
}

/// What the text of a parameter with this schema stands for.
fn kind(contract: &Contract, schema: &Value) -> Result<TokenStream> {
    kind_within(contract, schema, 0)
}

fn kind_within(contract: &Contract, schema: &Value, depth: usize) -> Result<TokenStream> {
    if depth > 16 {
        bail!("a parameter's schema refers to itself");
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target =
            reference.strip_prefix(crate::name::SCHEMA_PREFIX).and_then(|name| contract.schemas.get(name));
        return kind_within(contract, target.unwrap_or(&Value::Bool(true)), depth + 1);
    }
    for keyword in ["anyOf", "oneOf"] {
        let branches: Vec<&Value> =
            schema[keyword].as_array().into_iter().flatten().filter(|branch| !only_null(branch)).collect();
        if let [only] = branches.as_slice() {
            return kind_within(contract, only, depth + 1);
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => Vec::new(),
    };
    Ok(match kinds.as_slice() {
        ["integer"] => quote!(ValueType::Integer),
        ["number"] => quote!(ValueType::Number),
        ["boolean"] => quote!(ValueType::Boolean),
        ["array"] => {
            let inner = kind_within(contract, &schema["items"], depth + 1)?;
            quote!(ValueType::List(&#inner))
        }
        _ => quote!(ValueType::Text),
    })
}

fn only_null(schema: &Value) -> bool {
    is_nullable(schema) && schema["type"] == "null"
}
