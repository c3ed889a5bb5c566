//! Outputs of handlers, by documented status and media type.

use anyhow::Result;
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::{docs, ident, rust_type};
use crate::model::{Contract, Envelope, Operation, Response, Status};
use crate::name::{pascal, snake};

/// The output of a handler.
pub struct Output {
    name: Ident,
    doc: String,
    forms: Vec<Form>,
}

struct Form {
    variant: Ident,
    doc: String,
    status: u16,
    kind: FormKind,
}

enum FormKind {
    Json { content_type: String, ty: TokenStream, envelope: Option<Envelope> },
    Empty,
    Redirect,
    Text,
    Content { content_type: String },
}

impl Output {
    /// Reads the documented successes.
    pub fn of(contract: &Contract, operation: &Operation) -> Result<Self> {
        let successes: Vec<&Response> = operation.successes().collect();
        let several = successes.len() > 1;
        let mut forms = Vec::new();
        for response in &successes {
            let status = code(response.status);
            let prefix = if several { status_name(status) } else { String::new() };
            let texts = response.media.iter().all(|media| is_text(&media.content_type));
            if response.media.is_empty() {
                let kind = if (300..400).contains(&status) && status != 304 {
                    FormKind::Redirect
                } else {
                    FormKind::Empty
                };
                forms.push(Form::new(prefix, "Empty", response, status, kind));
            } else if texts {
                forms.push(Form::new(prefix, "Text", response, status, FormKind::Text));
            } else {
                for media in &response.media {
                    let kind = if media.content_type.contains("json") {
                        let envelope = contract.envelope(&media.ty);
                        let ty = envelope.as_ref().map_or(&media.ty, |envelope| &envelope.payload);
                        FormKind::Json {
                            content_type: media.content_type.clone(),
                            ty: rust_type(ty),
                            envelope,
                        }
                    } else {
                        FormKind::Content { content_type: media.content_type.clone() }
                    };
                    let own = if response.media.len() > 1 || !several {
                        media_name(&media.content_type)
                    } else {
                        String::new()
                    };
                    forms.push(Form::new(format!("{prefix}{own}"), "Content", response, status, kind));
                }
            }
        }
        let mut taken = std::collections::BTreeSet::new();
        for form in &mut forms {
            let mut name = form.variant.to_string();
            while !taken.insert(name.clone()) {
                name.push('2');
            }
            form.variant = format_ident!("{name}");
        }
        Ok(Self {
            name: format_ident!("{}Output", operation.type_name),
            doc: format!("Output of `{}`.", operation.id),
            forms,
        })
    }

    /// Status of the first success.
    pub fn status(&self) -> u16 {
        self.forms.first().map_or(204, |form| form.status)
    }

    /// Type.
    pub fn ty(&self) -> TokenStream {
        match self.forms.as_slice() {
            [] => quote!(()),
            [only] => only.ty(),
            _ => {
                let name = &self.name;
                quote!(#name)
            }
        }
    }

    /// Names of the envelopes that the payload is wrapped in.
    pub fn wrappers(&self) -> impl Iterator<Item = &str> {
        self.forms.iter().filter_map(|form| match &form.kind {
            FormKind::Json { envelope: Some(envelope), .. } => Some(envelope.name.as_str()),
            _ => None,
        })
    }

    /// The type's definition, when it has one of its own.
    pub fn definition(&self) -> TokenStream {
        if self.forms.len() < 2 {
            return quote!();
        }
        let (name, doc) = (&self.name, docs(&self.doc));
        let variants = self.forms.iter().map(|form| {
            let (variant, ty, doc) = (&form.variant, form.ty(), docs(&form.doc));
            if matches!(form.kind, FormKind::Empty) {
                quote!(#doc #variant)
            } else {
                quote!(#doc #variant(#ty))
            }
        });
        quote! {
            #doc
            #[derive(Debug)]
            pub enum #name {
                #(#variants),*
            }
        }
    }

    /// The expression that makes a response of `value`.
    pub fn encode(&self, value: TokenStream) -> TokenStream {
        match self.forms.as_slice() {
            [] => quote!({ let () = #value; Encoded::empty(204) }),
            [only] => only.encode(value),
            forms => {
                let name = &self.name;
                let arms = forms.iter().map(|form| {
                    let variant = &form.variant;
                    if matches!(form.kind, FormKind::Empty) {
                        let encode = form.encode(quote!(()));
                        quote!(#name::#variant => #encode,)
                    } else {
                        let encode = form.encode(quote!(value));
                        quote!(#name::#variant(value) => #encode,)
                    }
                });
                quote!(match #value { #(#arms)* })
            }
        }
    }
}

impl Form {
    fn new(variant: String, otherwise: &str, response: &Response, status: u16, kind: FormKind) -> Self {
        let variant = if variant.is_empty() { otherwise.to_owned() } else { variant };
        let doc = if response.description.is_empty() {
            format!("Status {status}.")
        } else {
            response.description.clone()
        };
        Self { variant: format_ident!("{variant}"), doc, status, kind }
    }

    fn ty(&self) -> TokenStream {
        match &self.kind {
            FormKind::Json { ty, .. } => ty.clone(),
            FormKind::Empty => quote!(()),
            FormKind::Redirect => quote!(Redirect),
            FormKind::Text => quote!(TextBody),
            FormKind::Content { .. } => quote!(Content),
        }
    }

    fn encode(&self, value: TokenStream) -> TokenStream {
        let status = self.status;
        match &self.kind {
            FormKind::Json { content_type, envelope, .. } => {
                let value = envelope.as_ref().map_or(value.clone(), |envelope| wrap(envelope, &value));
                quote!(Encoded::json(#status, #content_type, &#value))
            }
            FormKind::Empty => quote!({ let () = #value; Encoded::empty(#status) }),
            FormKind::Redirect => quote!(Encoded::redirect(#status, #value)),
            FormKind::Text => quote!(Encoded::text(#status, #value)),
            FormKind::Content { content_type } => quote!(Encoded::content(#status, #content_type, #value)),
        }
    }
}

/// The payload in its envelope.
fn wrap(envelope: &Envelope, payload: &TokenStream) -> TokenStream {
    let name = format_ident!("{}", envelope.name);
    let constants = envelope.constants.iter().map(|(member, required)| {
        let member = ident(&snake(member));
        let value = if *required { quote!(Default::default()) } else { quote!(Some(Default::default())) };
        quote!(#member: #value,)
    });
    let member = ident(&snake(&envelope.member));
    let payload = if envelope.required { payload.clone() } else { quote!(Some(#payload)) };
    quote!(types::#name { #(#constants)* #member: #payload })
}

fn code(status: Status) -> u16 {
    match status {
        Status::Code(code) => code,
        Status::Class(3) => 302,
        Status::Class(class) => class * 100,
        Status::Default => 200,
    }
}

/// Text that is a value in itself rather than a document to be downloaded.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    matches!(essence, "text/plain" | "application/sdp")
}

fn status_name(status: u16) -> String {
    match status {
        200 => "Ok".into(),
        201 => "Created".into(),
        202 => "Accepted".into(),
        204 => "NoContent".into(),
        301 => "MovedPermanently".into(),
        302 => "Found".into(),
        303 => "SeeOther".into(),
        304 => "NotModified".into(),
        307 => "TemporaryRedirect".into(),
        other => format!("Status{other}"),
    }
}

fn media_name(content_type: &str) -> String {
    if content_type.contains("json") {
        return "Json".into();
    }
    let essence = content_type.split(';').next().unwrap_or_default();
    let subtype = essence.rsplit('/').next().unwrap_or_default();
    let name = pascal(subtype);
    if name.is_empty() { "Content".into() } else { name }
}
