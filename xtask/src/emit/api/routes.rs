//! The dropshot trait. dropshot's router knows no literal beside a variable, so such paths share one
//! endpoint per method on the variable's path, which then looks at the literal.

use std::collections::BTreeMap;

use anyhow::Result;
use indexmap::IndexMap;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{docs, errors, ident, input_name, module, tag_trait, trait_name};
use crate::model::{Contract, Operation};
use crate::name::snake;

/// Which path dropshot routes each operation by.
pub struct Routes {
    /// By routed path and method: indices of operations.
    endpoints: IndexMap<(String, String), Vec<usize>>,
    /// Routed paths that several paths of the contract share.
    shared: BTreeMap<String, usize>,
}

impl Routes {
    /// Merges literals into variables where both share a place.
    pub fn of(contract: &Contract) -> Result<Self> {
        let paths: Vec<Vec<&str>> = contract
            .operations
            .iter()
            .map(|operation| operation.path.split('/').filter(|segment| !segment.is_empty()).collect())
            .collect();
        let mut routed = vec![String::new(); paths.len()];
        merge(&paths, &(0..paths.len()).collect::<Vec<_>>(), 0, &mut routed);
        let mut endpoints: IndexMap<(String, String), Vec<usize>> = IndexMap::new();
        let mut origins: BTreeMap<String, std::collections::BTreeSet<&str>> = BTreeMap::new();
        for (index, operation) in contract.operations.iter().enumerate() {
            let path = if routed[index].is_empty() { "/".to_owned() } else { routed[index].clone() };
            origins.entry(path.clone()).or_default().insert(&operation.path);
            endpoints.entry((path, operation.method.clone())).or_default().push(index);
        }
        let shared = origins
            .into_iter()
            .filter(|(path, origins)| origins.len() > 1 || !origins.contains(path.as_str()))
            .map(|(path, origins)| (path, origins.len()))
            .collect();
        Ok(Self { endpoints, shared })
    }
}

/// Extends the routed path of `members`, which are the same up to `depth`.
fn merge(paths: &[Vec<&str>], members: &[usize], depth: usize, routed: &mut [String]) {
    let longer: Vec<usize> = members.iter().copied().filter(|&member| paths[member].len() > depth).collect();
    if longer.is_empty() {
        return;
    }
    let variable = longer.iter().map(|&member| paths[member][depth]).find(|segment| segment.starts_with('{'));
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &member in &longer {
        let mut segment = variable.unwrap_or(paths[member][depth]).to_owned();
        // dropshot refuses the same variable twice in one path.
        while segment.starts_with('{') && routed[member].contains(&segment) {
            segment = segment.replace('}', "_}");
        }
        groups.entry(segment).or_default().push(member);
    }
    for (segment, group) in groups {
        for &member in &group {
            routed[member] = format!("{}/{segment}", routed[member]);
        }
        merge(paths, &group, depth + 1, routed);
    }
}

/// The trait, its routes, and what it needs for shared paths.
pub fn emit(contract: &Contract, routes: &Routes) -> Result<TokenStream> {
    let name = trait_name(contract);
    let mut shells = Vec::new();
    let mut extra = Vec::new();
    let mut table = Vec::new();
    let gets = contract.operations.iter().filter(|operation| operation.method == "GET").map(|operation| {
        let (id, module) = (&operation.id, format_ident!("{}", module(&operation.module())));
        let name = ident(&operation.name);
        quote!(#id => #module::serve::#name::<T>(rqctx, request).await,)
    });
    for ((path, method), members) in &routes.endpoints {
        table.push(quote!((#method, #path)));
        let method = format_ident!("{method}");
        let members: Vec<&Operation> = members.iter().map(|&index| &contract.operations[index]).collect();
        // The operation that really has this path; others only share it.
        let own = members.iter().find(|operation| operation.path == *path);
        let shared = routes.shared.contains_key(path);
        let (endpoint, input, attributes, summary) = match own {
            Some(operation) => {
                let module = format_ident!("{}", module(&operation.module()));
                let input = input_name(operation);
                let (id, tag) = (&operation.id, &operation.tag);
                (
                    format_ident!("{}_endpoint", operation.name),
                    quote!(#module::#input),
                    quote!(operation_id = #id, tags = [#tag]),
                    operation.summary.clone(),
                )
            }
            None => {
                let base = snake(&format!("{method} {path}"));
                let marker = format_ident!("{}Route", crate::name::pascal(&base.replace('_', " ")));
                extra.push(route_marker(contract, path, &method.to_string(), &marker, &members));
                (format_ident!("{base}_route"), quote!(#marker), quote!(unpublished = true), String::new())
            }
        };
        let call = |operation: &Operation| {
            let (module, name) = (format_ident!("{}", module(&operation.module())), ident(&operation.name));
            quote!(#module::serve::#name::<Self::Handlers>(&rqctx, request.into_unread()).await)
        };
        let body = if shared {
            let arms = members.iter().map(|operation| {
                let (id, call) = (&operation.id, call(operation));
                quote!(Some(#id) => #call,)
            });
            quote! {
                let picked = runtime::match_operation(OPERATIONS, rqctx.request.method(), rqctx.request.uri().path());
                let answer = match picked.map(|operation| operation.id) {
                    #(#arms)*
                    _ => runtime::respond_unrouted(&rqctx, OPERATIONS, request.into_unread()).await,
                };
                Ok(answer.into())
            }
        } else {
            let call = call(members[0]);
            quote!(Ok(#call.into()))
        };
        let doc = docs(if summary.is_empty() { "Paths that dropshot cannot tell apart." } else { &summary });
        shells.push(quote! {
            #doc
            #[endpoint { method = #method, path = #path, #attributes }]
            async fn #endpoint(
                rqctx: RequestContext<Self::Context>,
                request: RequestExtractor<#input>,
            ) -> Result<Reply<#input>, HttpError> {
                #body
            }
        });
    }
    let doc = format!(
        " Every operation of {} as a dropshot endpoint. Implemented for everything that implements all groups of operations.",
        contract.title
    );
    let tags = contract.tags.keys().map(|tag| {
        let (module, name) = (format_ident!("{}", module(&snake(tag))), tag_trait(tag));
        quote!(#module::#name)
    });
    let modules = contract.tags.keys().map(|tag| format_ident!("{}", module(&snake(tag))));
    Ok(quote! {
        use dropshot::{HttpError, RequestContext};

        #[allow(unused_imports, reason = "only contracts with shared paths need all of them")]
        use super::{AllOperations, Authenticate, OPERATIONS, Operations, errors #(, #modules)*};
        #[allow(unused_imports, reason = "only contracts with shared paths need all of them")]
        use crate::runtime::{self, HasOperation, Operation, Param, ParamLocation, Reply, RequestExtractor, ValueType};

        /// Methods and paths as dropshot routes them.
        pub static ROUTES: &[(&str, &str)] = &[#(#table),*];

        #(#extra)*

        #[doc = #doc]
        #[dropshot::api_description]
        pub trait #name {
            /// State of the server.
            type Context: Authenticate;

            /// The handlers.
            type Handlers: Operations<Context = Self::Context> #(+ #tags)*;

            #(#shells)*
        }

        /// Serves `operation`, whose method is GET, for a HEAD request. hyper leaves out the body.
        pub async fn serve_head<T: AllOperations>(
            rqctx: &RequestContext<T::Context>,
            operation: &'static Operation,
            request: runtime::UnreadRequest,
        ) -> http::Response<dropshot::Body> {
            match operation.id {
                #(#gets)*
                _ => runtime::respond_unrouted(rqctx, OPERATIONS, request).await,
            }
        }

        impl<T: AllOperations> #name for T {
            type Context = T::Context;
            type Handlers = T;
        }
    })
}

/// What dropshot is told about a path that only literals have with this method.
fn route_marker(
    contract: &Contract,
    path: &str,
    method: &str,
    marker: &proc_macro2::Ident,
    members: &[&Operation],
) -> TokenStream {
    let params = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        quote! {
            Param { name: #name, location: ParamLocation::Path, required: true, value_type: ValueType::Text, default: None, description: "" }
        }
    });
    let shape = errors::shape_of(contract, members[0]);
    let id = format!("{method} {path}");
    let doc = format!(" {id}, where only literals stand in the variable's place.");
    quote! {
        #[doc = #doc]
        #[derive(Debug)]
        pub struct #marker;

        impl HasOperation for #marker {
            const OPERATION: &'static Operation = &Operation {
                index: usize::MAX,
                id: #id,
                name: "",
                method: #method,
                path: #path,
                pointer: "",
                tag: "",
                success: 200,
                addition: false,
                tenant: false,
                params: &[#(#params),*],
                body: None,
                accepts: &[],
                feature: None,
                anonymous: true,
                errors: &errors::#shape,
            };
        }
    }
}
