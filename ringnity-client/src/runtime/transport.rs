//! What every request of a client shares: connection pool, base URL, default parameters and credential. Every
//! request is sent by [`Transport::execute`].

use std::sync::Arc;

use reqwest::Request;
use reqwest::header::{HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::credential::{Credential, CredentialPlacement};
use super::operation::{Operation, ParameterLocation};
use super::response::request_id;
use crate::generated::Error;

/// Settings that all clones of a client share.
struct Shared {
    http: reqwest::Client,
    base_url: String,
    parameters: Vec<(String, String)>,
}

/// A credential, ready to be added to requests.
struct AttachedCredential {
    kind: &'static str,
    placement: CredentialPlacement,
}

/// Connection pool, settings and credential. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    credential: Arc<AttachedCredential>,
}

impl Transport {
    pub(crate) fn new<C: Credential>(
        http: reqwest::Client,
        base_url: String,
        parameters: Vec<(String, String)>,
        credential: &C,
    ) -> Self {
        Self { shared: Arc::new(Shared { http, base_url, parameters }), credential: attach(credential) }
    }

    /// The same connections and settings with another credential.
    pub(crate) fn with_credential<C: Credential>(&self, credential: &C) -> Self {
        Self { shared: self.shared.clone(), credential: attach(credential) }
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.shared.http
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.shared.base_url
    }

    /// Adds the credential and the client-wide parameters to a request, where the operation takes them.
    pub(crate) fn prepare(&self, operation: &Operation, request: &mut Request) -> Result<(), Error> {
        for (name, value) in &self.shared.parameters {
            let Some(parameter) = operation
                .parameters
                .iter()
                .find(|parameter| !parameter.required && parameter.name.eq_ignore_ascii_case(name))
            else {
                continue;
            };
            match parameter.location {
                ParameterLocation::Query
                    if !request.url().query_pairs().any(|(key, _)| key == parameter.name) =>
                {
                    request.url_mut().query_pairs_mut().append_pair(parameter.name, value);
                }
                ParameterLocation::Header if !request.headers().contains_key(parameter.name) => {
                    let header = HeaderName::from_bytes(parameter.name.as_bytes());
                    let (Ok(header), Ok(value)) = (header, HeaderValue::from_str(value)) else {
                        return Err(Error::InvalidRequest(format!(
                            "{name}: {value:?} is not a valid header value"
                        )));
                    };
                    request.headers_mut().insert(header, value);
                }
                _ => {}
            }
        }
        // Operations that do not list the kind of credential never receive it.
        if operation.credentials.contains(&self.credential.kind) {
            match &self.credential.placement {
                CredentialPlacement::None => {}
                CredentialPlacement::Header(name, value) => {
                    request.headers_mut().append(name.clone(), value.clone());
                }
                CredentialPlacement::Query(name, secret) => {
                    request.url_mut().query_pairs_mut().append_pair(name, secret.expose());
                }
                CredentialPlacement::Invalid(message) => {
                    return Err(Error::InvalidRequest((*message).to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Sends a request in a `tracing` span that carries the operation's id, method and path.
    pub(crate) async fn execute(
        &self,
        operation: &Operation,
        request: Request,
    ) -> reqwest::Result<reqwest::Response> {
        let span = tracing::info_span!(
            "request",
            operation = operation.id,
            method = operation.method,
            path = operation.path,
            status = tracing::field::Empty,
            request_id = tracing::field::Empty,
        );
        async {
            let result = self.shared.http.execute(request).await.map_err(reqwest::Error::without_url);
            match &result {
                Ok(response) => {
                    let span = tracing::Span::current();
                    span.record("status", response.status().as_u16());
                    if let Some(id) = request_id(response.headers()) {
                        span.record("request_id", id);
                    }
                    tracing::debug!("response received");
                }
                Err(error) => tracing::debug!(%error, "request failed"),
            }
            result
        }
        .instrument(span)
        .await
    }
}

fn attach<C: Credential>(credential: &C) -> Arc<AttachedCredential> {
    Arc::new(AttachedCredential { kind: C::KIND, placement: credential.placement() })
}
