//! The public surface: for each operation a method of the client and a request builder. Both look the same
//! whether progenitor or the runtime writes the request.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::idents::rust;
use super::plan::{Body, Callers, Input, InputType, Payload, PayloadKind, Plan, ResponseBody, Role, Style};
use super::progenitor::{Passing, ProgenitorCall};
use super::{Names, docs};
use crate::model::{Contract, Param, ParamLocation, Status, TypeRef};

/// One operation with progenitor's code for it.
pub struct Entry<'c> {
    /// How it is called.
    pub plan: Plan<'c>,
    /// Progenitor's function; `None` where the runtime writes the request.
    pub call: Option<ProgenitorCall>,
}

/// The file of a tag.
pub fn file(contract: &Contract, entries: &[&Entry<'_>], names: &Names) -> TokenStream {
    let mut groups: BTreeMap<Callers, TokenStream> = BTreeMap::new();
    let mut items = TokenStream::new();
    for entry in entries {
        groups.entry(entry.plan.callers()).or_default().extend(method(contract, &entry.plan, names));
        items.extend(descriptor(&entry.plan));
        items.extend(builder(entry, names));
    }
    let impls = groups.into_iter().map(|(callers, methods)| {
        let doc = impl_doc(entries, &callers, names);
        let block = match callers {
            Callers::Any => quote!(impl<C> Client<C> { #methods }),
            Callers::Kinds(kinds) => match names.marker(&kinds) {
                Some(marker) => {
                    let marker = format_ident!("{marker}");
                    quote!(impl<C: crate::generated::#marker> Client<C> { #methods })
                }
                None => {
                    let kind = format_ident!("{}", names.credential(&kinds[0]));
                    let path =
                        if kind == "Anonymous" { quote!(crate::runtime) } else { quote!(crate::generated) };
                    quote!(impl Client<#path::#kind> { #methods })
                }
            },
        };
        quote!(#[doc = #doc] #block)
    });
    quote! {
        #![allow(unused_imports, clippy::too_many_arguments)]
        use crate::generated::Error;
        use crate::runtime::request::{OperationRequest, Style, check_path_segment};
        use crate::runtime::progenitor::ProgenitorClient;        use crate::runtime::transport::Transport;
        use crate::runtime::{ByteStream, Client, Operation, Parameter, ParameterLocation, Redirect, Response, Text, Upload};

        #(#impls)*
        #items
    }
}

/// Documentation of an impl block, which groups the methods of a tag by credential.
fn impl_doc(entries: &[&Entry<'_>], callers: &Callers, names: &Names) -> String {
    let tag = entries.first().map_or("", |entry| entry.plan.operation.tag.as_str());
    let credentials = match callers {
        Callers::Any => "with any credential or none".to_owned(),
        Callers::Kinds(kinds) => {
            let all: Vec<String> = kinds.iter().map(|kind| docs::link(names.credential(kind))).collect();
            format!("with {}", all.join(" or "))
        }
    };
    format!(" Operations tagged `{tag}`, callable {credentials}.")
}

/// Name of the operation's descriptor.
pub fn constant(plan: &Plan<'_>) -> Ident {
    format_ident!("{}", plan.operation.name.to_uppercase())
}

fn descriptor(plan: &Plan<'_>) -> TokenStream {
    let operation = plan.operation;
    let name = constant(plan);
    let (id, method, path, tag) = (&operation.id, &operation.method, &operation.path, &operation.tag);
    let parameters = operation.params.iter().map(|param| {
        let Param { name, required, .. } = param;
        let place = format_ident!("{}", format!("{:?}", param.place));
        quote!(Parameter::new(#name, ParameterLocation::#place, #required))
    });
    let requests = operation.body.iter().flat_map(|body| &body.media).map(|media| &media.content_type);
    let mut responses: Vec<&String> =
        operation.successes().flat_map(|response| &response.media).map(|media| &media.content_type).collect();
    responses.dedup();
    let kinds = operation.principals.iter().map(|accepted| &accepted.kind);
    let anonymous = operation.anonymous || operation.principals.is_empty();
    let mut fields = TokenStream::new();
    for (field, list) in [
        ("parameters", quote!(#(#parameters),*)),
        ("request_types", quote!(#(#requests),*)),
        ("response_types", quote!(#(#responses),*)),
        ("credentials", quote!(#(#kinds),*)),
    ] {
        if !list.is_empty() {
            let field = format_ident!("{field}");
            fields.extend(quote!(#field: &[#list],));
        }
    }
    if !anonymous {
        fields.extend(quote!(anonymous: false,));
    }
    let doc = format!(" Metadata of the operation `{id}`.");
    quote! {
        #[doc = #doc]
        pub const #name: Operation = Operation { #fields ..Operation::new(#id, #method, #path, #tag) };
    }
}

fn method(contract: &Contract, plan: &Plan<'_>, names: &Names) -> TokenStream {
    let attributes = docs::attributes(&docs::of_method(contract, plan, names));
    let deprecated = plan.operation.deprecated.then(|| quote!(#[deprecated = "deprecated in the contract"]));
    let (method, builder) = (&plan.method, &plan.builder);
    let arguments = plan.arguments().map(|input| {
        let name = &input.name;
        let ty = accepted(input, names);
        quote!(#name: #ty)
    });
    let fields = plan.inputs.iter().map(|input| {
        let name = &input.name;
        if !input.required {
            return quote!(#name: None);
        }
        match conversion(input) {
            true => quote!(#name: #name.into()),
            false => quote!(#name),
        }
    });
    quote! {
        #attributes
        #deprecated
        pub fn #method(&self, #(#arguments),*) -> #builder {
            #builder { transport: self.transport(), #(#fields),* }
        }
    }
}

/// Whether the argument is `impl Into` of the type.
fn conversion(input: &Input) -> bool {
    matches!(input.ty, InputType::Contract(TypeRef::String) | InputType::Upload)
}

fn accepted(input: &Input, names: &Names) -> TokenStream {
    let ty = stored(input, names);
    if conversion(input) { quote!(impl Into<#ty>) } else { ty }
}

fn stored(input: &Input, names: &Names) -> TokenStream {
    match &input.ty {
        InputType::Contract(ty) => rust(ty, &names.types_ident()),
        InputType::Upload => quote!(Upload),
        InputType::Generated(name) => quote!(#name),
    }
}

fn builder(entry: &Entry<'_>, names: &Names) -> TokenStream {
    let plan = &entry.plan;
    let builder = &plan.builder;
    let link = format!("[`Client::{}`]", plan.method.to_string().trim_start_matches("r#"));
    let doc = format!(" Request builder of {link}. Nothing is sent before [`{builder}::send`] is awaited.");
    let fields = plan.inputs.iter().map(|input| {
        let name = &input.name;
        let ty = stored(input, names);
        if input.required { quote!(#name: #ty) } else { quote!(#name: Option<#ty>) }
    });
    let setters = plan.setters().map(|input| {
        let attributes = docs::attributes(&docs::of_input(plan, input));
        let name = &input.name;
        let ty = accepted(input, names);
        let value = if conversion(input) { quote!(#name.into()) } else { quote!(#name) };
        quote! {
            #attributes
            pub fn #name(mut self, #name: #ty) -> Self {
                self.#name = Some(#value);
                self
            }
        }
    });
    let output = output(plan, names);
    let send = match &entry.call {
        Some(call) => send_with_progenitor(plan, call),
        None => send_with_request(plan, names),
    };
    let enums = enums(plan, names);
    let mut variants: Vec<String> = Vec::new();
    for (_, schema) in &plan.errors {
        let link = names.error_variant(schema).map(|variant| format!("[`Error::{variant}`]"));
        variants.extend(link.filter(|link| !variants.contains(link)));
    }
    let errors = match variants.as_slice() {
        [] => " See [`Error`].".to_owned(),
        all => {
            format!(
                " {} if the server rejects the request. See [`Error`] for other errors.",
                all.join(" or ")
            )
        }
    };
    quote! {
        #[doc = #doc]
        #[must_use = "a request is not sent until `send` is awaited"]
        pub struct #builder { transport: Transport, #(#fields),* }

        impl #builder {
            #(#setters)*

            /// Sends the request and reads the response.
            ///
            /// # Errors
            ///
            #[doc = #errors]
            pub async fn send(self) -> Result<Response<#output>, Error> {
                #send
            }
        }
        #enums
    }
}

fn output(plan: &Plan<'_>, names: &Names) -> TokenStream {
    if plan.has_output_enum() {
        let name = plan.output_enum();
        return quote!(#name);
    }
    response_type(&plan.responses[0].body, names)
}

fn response_type(body: &ResponseBody, names: &Names) -> TokenStream {
    match body {
        ResponseBody::Json(ty) => rust(ty, &names.types_ident()),
        ResponseBody::Text => quote!(Text),
        ResponseBody::Stream => quote!(ByteStream),
        ResponseBody::Empty => quote!(()),
        ResponseBody::Redirect => quote!(Redirect),
    }
}

/// Enums that belong to one operation: bodies and responses of several types.
fn enums(plan: &Plan<'_>, names: &Names) -> TokenStream {
    let mut out = TokenStream::new();
    let id = &plan.operation.id;
    if let Body::Choice(variants) = &plan.body {
        let name = format_ident!("{}Body", plan.builder);
        let doc = format!(" Request body of `{id}`, in one of its media types.");
        let variants = variants.iter().map(|(variant, payload)| {
            let doc = format!(" `{}`", payload.media);
            let ty = match payload.kind {
                PayloadKind::Bytes => quote!(Upload),
                _ => rust(&payload.ty, &names.types_ident()),
            };
            quote!(#[doc = #doc] #variant(#ty))
        });
        out.extend(quote!(#[doc = #doc] #[derive(Debug)] pub enum #name { #(#variants),* }));
    }
    if plan.has_output_enum() {
        let name = plan.output_enum();
        let doc = format!(" Response body of `{id}`, by status and media type.");
        let variants = plan.responses.iter().map(|response| {
            let status = match response.status {
                Status::Code(code) => code.to_string(),
                Status::Class(class) => format!("{class}XX"),
                Status::Default => "default".into(),
            };
            let doc = match &response.media {
                Some(media) => format!(" {status}, `{media}`"),
                None => format!(" {status}"),
            };
            let variant = &response.variant;
            match response.body {
                ResponseBody::Empty => quote!(#[doc = #doc] #variant),
                _ => {
                    let ty = response_type(&response.body, names);
                    quote!(#[doc = #doc] #variant(#ty))
                }
            }
        });
        out.extend(quote! {
            #[doc = #doc]
            #[derive(Debug)]
            #[allow(clippy::large_enum_variant)]
            pub enum #name { #(#variants),* }
        });
    }
    out
}

/// The body of `send` for operations that progenitor writes.
fn send_with_progenitor(plan: &Plan<'_>, call: &ProgenitorCall) -> TokenStream {
    let constant = constant(plan);
    let method = &plan.method;
    let checks = plan.inputs.iter().filter_map(|input| {
        let Role::Param(index, _) = &input.role else { return None };
        let param = &plan.operation.params[*index];
        if param.place != ParamLocation::Path || input.ty != InputType::Contract(TypeRef::String) {
            return None;
        }
        let (name, field) = (&param.name, &input.name);
        Some(quote!(check_path_segment(#name, &self.#field)?;))
    });
    let arguments = call.arguments.iter().map(|(index, passing)| {
        let name = &plan.inputs[*index].name;
        match passing {
            Passing::Value => quote!(self.#name),
            Passing::Reference => quote!(&self.#name),
            Passing::OptionalText => quote!(self.#name.as_deref()),
            Passing::OptionalReference => quote!(self.#name.as_ref()),
        }
    });
    quote! {
        #(#checks)*
        let progenitor = ProgenitorClient::new(self.transport, &#constant);
        let result = progenitor.#method(#(#arguments),*).await;
        progenitor.finish(result).await
    }
}

/// The body of `send` for all other operations.
fn send_with_request(plan: &Plan<'_>, names: &Names) -> TokenStream {
    let constant = constant(plan);
    let mut steps = TokenStream::new();
    for input in &plan.inputs {
        let Role::Param(index, style) = &input.role else { continue };
        let param = &plan.operation.params[*index];
        let (name, field) = (&param.name, &input.name);
        steps.extend(match (param.place, style) {
            (ParamLocation::Path, _) => quote!(.path(#name, &self.#field)),
            (ParamLocation::Header, _) => quote!(.header(#name, &self.#field)),
            (ParamLocation::Cookie, _) => quote!(.cookie(#name, &self.#field)),
            (ParamLocation::Query, Style::Default) => quote!(.query(#name, &self.#field)),
            (ParamLocation::Query, style) => {
                let style = format_ident!("{}", format!("{style:?}"));
                quote!(.styled(#name, Style::#style, &self.#field))
            }
        });
    }
    let mut medias: Vec<&str> = Vec::new();
    for media in plan.operation.successes().flat_map(|response| &response.media) {
        if !medias.contains(&media.content_type.as_str()) {
            medias.push(&media.content_type);
        }
    }
    if !medias.is_empty() {
        let all = medias.join(", ");
        steps.extend(match plan.inputs.iter().find(|input| input.role == Role::Accept) {
            Some(input) => {
                let field = &input.name;
                quote!(.accept(self.#field.as_deref().unwrap_or(#all)))
            }
            None => quote!(.accept(#all)),
        });
    }
    let (steps, after) = body(plan, steps);
    let arms = arms(plan, names);
    quote! {
        let request = OperationRequest::new(self.transport, &#constant) #steps;
        #after
        let response = request.send().await?;
        #arms
    }
}

/// Builder calls that set the body. The second part is the code for optional bodies.
fn body(plan: &Plan<'_>, mut steps: TokenStream) -> (TokenStream, TokenStream) {
    let field = plan.inputs.iter().find(|input| input.role == Role::Body);
    let content_type = plan.inputs.iter().find(|input| input.role == Role::ContentType);
    match (&plan.body, field) {
        (Body::Multipart, _) => {
            for input in &plan.inputs {
                let Role::Part(name) = &input.role else { continue };
                let field = &input.name;
                steps.extend(match input.ty {
                    InputType::Upload => quote!(.file(#name, self.#field)),
                    _ => quote!(.field(#name, &self.#field)),
                });
            }
            (steps, TokenStream::new())
        }
        (Body::None, _) | (_, None) => (steps, TokenStream::new()),
        (kind, Some(input)) => {
            let field = &input.name;
            let write = match (kind, content_type) {
                (Body::One(payload), _) => write(payload),
                (Body::Texts(medias), Some(content_type)) => {
                    let (first, content_type) = (&medias[0], &content_type.name);
                    quote!(.bytes(self.#content_type.as_deref().unwrap_or(#first), body))
                }
                (Body::Choice(variants), _) => {
                    let name = format_ident!("{}Body", plan.builder);
                    let arms = variants.iter().map(|(variant, payload)| {
                        let write = write(payload);
                        quote!(#name::#variant(body) => request #write)
                    });
                    let choose = quote!(let request = match body { #(#arms,)* };);
                    return match input.required {
                        true => (steps, quote!(let body = self.#field; #choose)),
                        false => (
                            steps,
                            quote!(let request = if let Some(body) = self.#field { #choose request } else { request };),
                        ),
                    };
                }
                _ => TokenStream::new(),
            };
            let after = match input.required {
                true => quote!(let body = self.#field; let request = request #write;),
                false => quote! {
                    let request = match self.#field {
                        Some(body) => request #write,
                        None => request,
                    };
                },
            };
            (steps, after)
        }
    }
}

fn write(payload: &Payload) -> TokenStream {
    let media = &payload.media;
    match payload.kind {
        PayloadKind::Json => quote!(.json(#media, &body)),
        PayloadKind::Form => quote!(.form(&body)),
        PayloadKind::Text => quote!(.bytes(#media, body)),
        PayloadKind::Bytes => quote!(.upload(#media, body)),
    }
}

fn arms(plan: &Plan<'_>, names: &Names) -> TokenStream {
    let by_media = plan.responses.iter().any(|response| response.media.is_some());
    let wrapped = plan.has_output_enum();
    let success = plan.responses.iter().map(|response| {
        let status = pattern(response.status);
        let pattern = match (&response.media, by_media) {
            (Some(media), _) => quote!((#status, #media)),
            (None, true) => quote!((#status, _)),
            (None, false) => quote!(#status),
        };
        let read = match response.body {
            ResponseBody::Json(_) => quote!(json()),
            ResponseBody::Text => quote!(text()),
            ResponseBody::Stream => quote!(stream()),
            ResponseBody::Empty => quote!(empty()),
            ResponseBody::Redirect => quote!(redirect()),
        };
        let read = match (wrapped, &response.body) {
            (false, _) => quote!(response.#read.await),
            (true, body) => {
                let (name, variant) = (plan.output_enum(), &response.variant);
                match body {
                    ResponseBody::Empty => quote!(response.#read.await.map(|response| response.map(|()| #name::#variant))),
                    body => {
                        let ty = response_type(body, names);
                        quote!(response.#read.await.map(|response: Response<#ty>| response.map(#name::#variant)))
                    }
                }
            }
        };
        quote!(#pattern => #read)
    });
    let types = names.types_ident();
    let errors = plan.errors.iter().map(|(status, schema)| {
        let status = pattern(*status);
        let pattern = if by_media { quote!((#status, _)) } else { status };
        let schema = format_ident!("{schema}");
        quote!(#pattern => Err(response.error::<#types::#schema>().await))
    });
    let subject = match by_media {
        true => quote!((response.status(), response.media().as_str())),
        false => quote!(response.status()),
    };
    quote! {
        match #subject {
            #(#success,)*
            #(#errors,)*
            _ => Err(response.unexpected_response().await),
        }
    }
}

fn pattern(status: Status) -> TokenStream {
    let number = |value: u16| proc_macro2::Literal::u16_unsuffixed(value);
    match status {
        Status::Code(code) => {
            let code = number(code);
            quote!(#code)
        }
        Status::Class(class) => {
            let (low, high) = (number(class * 100), number(class * 100 + 99));
            quote!(#low..=#high)
        }
        Status::Default => quote!(400..=599),
    }
}
