//! The dropshot extractor of generated endpoints.

use std::marker::PhantomData;
use std::net::SocketAddr;

use async_trait::async_trait;
use dropshot::{
    ApiEndpointBodyContentType, ApiEndpointParameter, ApiEndpointParameterLocation, ExclusiveExtractor,
    ExtensionMode, ExtractorMetadata, HttpError, Query, RequestContext, ServerContext, SharedExtractor,
};

use super::operation::{HasOperation, MediaForm, Operation, ParamLocation};

/// A request whose body has not been read.
#[derive(Debug)]
pub struct UnreadRequest {
    /// Head and unread body.
    pub request: http::Request<dropshot::Body>,
    /// Address of the connection's peer.
    pub remote: SocketAddr,
    /// The id that dropshot assigned to it and sends as `X-Request-Id`.
    pub request_id: String,
}

/// Extractor that never rejects. It describes the parameters of `I` to dropshot and passes the request on unread.
#[derive(Debug)]
pub struct RequestExtractor<I>(UnreadRequest, PhantomData<fn() -> I>);

impl<I> RequestExtractor<I> {
    /// The request.
    pub fn into_unread(self) -> UnreadRequest {
        self.0
    }
}

#[async_trait]
impl<I: HasOperation> ExclusiveExtractor for RequestExtractor<I> {
    async fn from_request<Context: ServerContext>(
        rqctx: &RequestContext<Context>,
        request: http::Request<dropshot::Body>,
    ) -> Result<Self, HttpError> {
        let unread = UnreadRequest {
            request,
            remote: rqctx.request.remote_addr(),
            request_id: rqctx.request_id.clone(),
        };
        Ok(Self(unread, PhantomData))
    }

    fn metadata(_: ApiEndpointBodyContentType) -> ExtractorMetadata {
        ExtractorMetadata { extension_mode: ExtensionMode::None, parameters: parameters(I::OPERATION) }
    }
}

/// The parameters of an operation, for dropshot: names, locations, whether they are required.
pub fn parameters(operation: &Operation) -> Vec<ApiEndpointParameter> {
    let mut out = Vec::new();
    for param in operation.params {
        let location = match param.location {
            ParamLocation::Path => ApiEndpointParameterLocation::Path,
            ParamLocation::Query => ApiEndpointParameterLocation::Query,
            ParamLocation::Header => ApiEndpointParameterLocation::Header,
            ParamLocation::Cookie => continue,
        };
        out.extend(parameter(&location, param.name, param.description, param.required));
    }
    if let Some(body) = &operation.body
        && let Some(media) = body.media.first()
    {
        let content_type = match media.form {
            MediaForm::Json => ApiEndpointBodyContentType::Json,
            MediaForm::UrlEncoded(_) => ApiEndpointBodyContentType::UrlEncoded,
            MediaForm::Multipart(_) => ApiEndpointBodyContentType::MultipartFormData,
            MediaForm::Text | MediaForm::Bytes => ApiEndpointBodyContentType::Bytes,
        };
        out.extend(
            probe().map(|probe| {
                ApiEndpointParameter::new_body(content_type, body.required, probe.schema, vec![])
            }),
        );
    }
    out
}

/// A text parameter, for dropshot.
pub fn parameter(
    location: &ApiEndpointParameterLocation,
    name: &str,
    description: &str,
    required: bool,
) -> Option<ApiEndpointParameter> {
    let description = (!description.is_empty()).then(|| description.to_owned());
    let schema = probe()?.schema;
    Some(ApiEndpointParameter::new_named(location, name.to_owned(), description, required, schema, vec![]))
}

/// Gives the schema of text, which is what dropshot gets for every parameter: the contract's own schema is checked in
/// [`super::input`]. dropshot's schema type cannot be named here, so it is taken from a query with one text member.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Probe {
    #[allow(dead_code, reason = "only its schema is used")]
    text: String,
}

fn probe() -> Option<ApiEndpointParameter> {
    <Query<Probe> as SharedExtractor>::metadata(ApiEndpointBodyContentType::Json).parameters.pop()
}
