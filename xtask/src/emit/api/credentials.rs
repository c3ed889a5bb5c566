//! Kinds of credential, the trait that identifies their principals, and the principals.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use serde_json::Value;

use super::ident;
use crate::model::{Contract, Operation};
use crate::name::{pascal, snake};
use crate::source::PrincipalSettings;

/// `ServerPrincipal`.
fn struct_name(kind: &str) -> Ident {
    format_ident!("{}Principal", pascal(kind))
}

/// Kinds that an operation accepts, in the order of the settings.
fn accepted(contract: &Contract, operation: &Operation) -> Vec<String> {
    let all = contract.kinds();
    let accepted =
        |kind: &PrincipalSettings| operation.principals.iter().any(|entry| entry.kind == kind.kind);
    all.iter().filter(|kind| accepted(kind)).map(|kind| kind.kind.clone()).collect()
}

/// `VisitorOrAgent`.
fn set_name(kinds: &[String]) -> Ident {
    format_ident!("{}", kinds.iter().map(|kind| pascal(kind)).collect::<Vec<_>>().join("Or"))
}

/// The type of the principal that a handler gets; `None` when the operation needs no credential.
pub fn principal_type(contract: &Contract, operation: &Operation) -> Option<TokenStream> {
    let kinds = accepted(contract, operation);
    let name = match kinds.as_slice() {
        [] => return None,
        [only] => struct_name(only),
        several => set_name(several),
    };
    Some(if operation.anonymous { quote!(Option<#name>) } else { quote!(#name) })
}

/// Tables, traits, types.
pub fn emit(contract: &Contract) -> Result<TokenStream> {
    let kinds = contract.kinds();
    let tables = kinds.iter().map(|kind| table(contract, kind)).collect::<Result<Vec<_>>>()?;
    let structs = structs(contract, &kinds);
    let sets = sets(contract);
    let methods = kinds.iter().map(|kind| {
        let (name, principal) = (ident(&snake(&kind.kind)), struct_name(&kind.kind));
        let doc = format!(" The principal of `credential`, taken as one of kind {}.", kind.kind);
        quote! {
            #[doc = #doc]
            fn #name(
                &self,
                head: &HeadOf<Self>,
                credential: &Credential,
            ) -> impl Future<Output = Result<Authenticated<#principal>, AuthFailure>> + Send;
        }
    });
    let variants = kinds.iter().map(|kind| {
        let (variant, principal) = (format_ident!("{}", pascal(&kind.kind)), struct_name(&kind.kind));
        let doc = format!(" Of kind {}.", kind.kind);
        quote!(#[doc = #doc] #variant(#principal))
    });
    let arms = kinds.iter().map(|kind| {
        let (text, name) = (&kind.kind, ident(&snake(&kind.kind)));
        let variant = format_ident!("{}", pascal(&kind.kind));
        quote!(#text => Ok(Authenticate::#name(self, head, credential).await?.map(Principal::#variant)),)
    });
    let has_scope = if kinds.is_empty() {
        quote! {
            let _ = scope;
            match *self {}
        }
    } else {
        let arms = kinds.iter().map(|kind| {
            let variant = format_ident!("{}", pascal(&kind.kind));
            quote!(Self::#variant(principal) => principal.has_scope(scope),)
        });
        quote!(match self { #(#arms)* })
    };
    let has_feature = if kinds.is_empty() {
        quote! {
            let _ = feature;
            match *self {}
        }
    } else {
        let arms = kinds.iter().map(|kind| {
            let variant = format_ident!("{}", pascal(&kind.kind));
            quote!(Self::#variant(principal) => principal.has_feature(feature),)
        });
        quote!(match self { #(#arms)* })
    };
    let role = if kinds.is_empty() {
        quote!(match *self {})
    } else {
        let arms = kinds.iter().map(|kind| {
            let variant = format_ident!("{}", pascal(&kind.kind));
            quote!(Self::#variant(principal) => principal.role(),)
        });
        quote!(match self { #(#arms)* })
    };
    let conversions = kinds.iter().map(|kind| {
        let (variant, principal) = (format_ident!("{}", pascal(&kind.kind)), struct_name(&kind.kind));
        let other = (kinds.len() > 1).then(|| quote!(other => Err(other),));
        quote! {
            impl TryFrom<Principal> for #principal {
                type Error = Principal;

                fn try_from(principal: Principal) -> Result<Self, Principal> {
                    match principal {
                        Principal::#variant(principal) => Ok(principal),
                        #other
                    }
                }
            }
        }
    });
    Ok(quote! {
        use crate::runtime::{
            AuthFailure, Authenticated, Authenticator, Credential, CredentialKind, CredentialLocation, Fault, HeadOf,
            Hooks, Permissions,
        };

        #structs

        /// Every kind of credential: where it travels, and the error codes of its problems.
        pub static CREDENTIALS: &[CredentialKind] = &[#(#tables),*];

        /// Identifies the principals of credentials, one method per kind. Implemented by the server's state.
        pub trait Authenticate: Hooks {
            #(#methods)*

            /// Called when the principal is known, before its permissions are checked and the body is read: for rate
            /// limits. `None` stands for a request without a valid credential, whether the operation needs one or not.
            /// An error is the response.
            fn after_authentication(
                &self,
                head: &HeadOf<Self>,
                principal: Option<&Principal>,
            ) -> impl Future<Output = Result<(), Fault>> + Send {
                let _ = (head, principal);
                std::future::ready(Ok(()))
            }
        }

        /// A principal of any kind.
        #[derive(Debug, Clone)]
        pub enum Principal {
            #(#variants),*
        }

        impl Permissions for Principal {
            fn has_scope(&self, scope: &str) -> bool {
                #has_scope
            }

            fn role(&self) -> Option<&str> {
                #role
            }

            fn has_feature(&self, feature: &str) -> bool {
                #has_feature
            }
        }

        #(#conversions)*

        #sets

        impl<C: Authenticate> Authenticator for C {
            type Principal = Principal;

            fn kinds() -> &'static [CredentialKind] {
                CREDENTIALS
            }

            fn exposed_headers() -> &'static str {
                super::EXPOSED_HEADERS
            }

            async fn identify(
                &self,
                kind: &'static str,
                head: &HeadOf<Self>,
                credential: &Credential,
            ) -> Result<Authenticated<Principal>, AuthFailure> {
                let _ = (head, credential);
                match kind {
                    #(#arms)*
                    _ => Err(AuthFailure::WrongKind),
                }
            }

            async fn after_authentication(
                &self,
                head: &HeadOf<Self>,
                principal: Option<&Principal>,
            ) -> Result<(), Fault> {
                Authenticate::after_authentication(self, head, principal).await
            }
        }
    })
}

/// Principals: hand-written where the settings name kinds, plain ones otherwise.
fn structs(contract: &Contract, kinds: &[PrincipalSettings]) -> TokenStream {
    if !contract.settings.principal.is_empty() {
        let names = kinds.iter().map(|kind| struct_name(&kind.kind));
        return quote!(pub use crate::principal::{#(#names),*};);
    }
    let structs = kinds.iter().map(|kind| {
        let name = struct_name(&kind.kind);
        let doc = format!(" The principal of a credential of kind {}.", kind.kind);
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone, Default, PartialEq, Eq)]
            pub struct #name {
                /// Id.
                pub subject: String,
                /// Scopes that it holds.
                pub scopes: Vec<String>,
            }

            impl Permissions for #name {
                fn has_scope(&self, scope: &str) -> bool {
                    self.scopes.iter().any(|held| held == scope)
                }
            }
        }
    });
    quote!(#(#structs)*)
}

/// One enum for each set of kinds that some operation accepts.
fn sets(contract: &Contract) -> TokenStream {
    let all: BTreeSet<Vec<String>> = contract
        .operations
        .iter()
        .map(|operation| accepted(contract, operation))
        .filter(|kinds| kinds.len() > 1)
        .collect();
    let sets = all.iter().map(|kinds| {
        let name = set_name(kinds);
        let doc = format!(" The principal of a call: {}.", kinds.join(" or "));
        let variants = kinds.iter().map(|kind| {
            let (variant, principal) = (format_ident!("{}", pascal(kind)), struct_name(kind));
            let doc = format!(" Of kind {kind}.");
            quote!(#[doc = #doc] #variant(#principal))
        });
        let arms = kinds.iter().map(|kind| {
            let variant = format_ident!("{}", pascal(kind));
            quote!(Principal::#variant(principal) => Ok(Self::#variant(principal)),)
        });
        let other = (contract.kinds().len() > kinds.len()).then(|| quote!(other => Err(other),));
        quote! {
            #[doc = #doc]
            #[derive(Debug, Clone)]
            pub enum #name {
                #(#variants),*
            }

            impl TryFrom<Principal> for #name {
                type Error = Principal;

                fn try_from(principal: Principal) -> Result<Self, Principal> {
                    match principal {
                        #(#arms)*
                        #other
                    }
                }
            }
        }
    });
    quote!(#(#sets)*)
}

fn table(contract: &Contract, kind: &PrincipalSettings) -> Result<TokenStream> {
    let declared = &contract.named["components"]["securitySchemes"];
    // Its own scheme, and those that several kinds share.
    let shared = contract.settings.schemes.iter().filter(|(_, kinds)| kinds.contains(&kind.kind));
    let schemes = std::iter::once(&kind.scheme).chain(shared.map(|(scheme, _)| scheme));
    let mut locations: Vec<TokenStream> = Vec::new();
    for name in schemes.filter(|name| declared.get(name.as_str()).is_some()) {
        let location = location(contract, name, &declared[name])?;
        if !locations.iter().any(|known| known.to_string() == location.to_string()) {
            locations.push(location);
        }
    }
    for header in &kind.also {
        locations.push(if header.eq_ignore_ascii_case("authorization") {
            quote!(CredentialLocation::Bearer)
        } else {
            quote!(CredentialLocation::Header(#header))
        });
    }
    let feature = match contract.feature_of_scheme(&kind.scheme) {
        Some(feature) => quote!(Some(#feature)),
        None => quote!(None),
    };
    let text = &kind.kind;
    let [missing, invalid, expired, denied] = [&kind.missing, &kind.invalid, &kind.expired, &kind.denied]
        .map(|code| match code {
            Some(code) => quote!(Some(#code)),
            None => quote!(None),
        });
    Ok(quote! {
        CredentialKind {
            kind: #text,
            locations: &[#(#locations),*],
            feature: #feature,
            missing: #missing,
            invalid: #invalid,
            expired: #expired,
            denied: #denied,
        }
    })
}

/// Where the credential of a security scheme travels.
fn location(contract: &Contract, name: &str, scheme: &Value) -> Result<TokenStream> {
    let wire = scheme["name"].as_str().unwrap_or_default();
    Ok(match (scheme["type"].as_str(), scheme["scheme"].as_str(), scheme["in"].as_str()) {
        (Some("http"), Some(scheme), _) if scheme.eq_ignore_ascii_case("basic") => {
            quote!(CredentialLocation::Basic)
        }
        (Some("http"), Some(scheme), _) if scheme.eq_ignore_ascii_case("bearer") => {
            quote!(CredentialLocation::Bearer)
        }
        (Some("oauth2" | "openIdConnect"), ..) => quote!(CredentialLocation::Bearer),
        (Some("apiKey"), _, Some("header")) => quote!(CredentialLocation::Header(#wire)),
        (Some("apiKey"), _, Some("query")) => quote!(CredentialLocation::Query(#wire)),
        (Some("apiKey"), _, Some("cookie")) => quote!(CredentialLocation::Cookie(#wire)),
        _ => bail!(
            "{}: #/components/securitySchemes/{name}: a scheme of this type is not generated for servers",
            contract.file_name
        ),
    })
}
