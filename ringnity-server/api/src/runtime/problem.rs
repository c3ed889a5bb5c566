//! The problems that generated code finds by itself, with their HTTP statuses and default codes.

use http::StatusCode;

/// A problem that generated code finds by itself. Each contract has its own code for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// The request does not match the contract.
    Invalid,
    /// The body is too large.
    TooLarge,
    /// The operation does not read the body's media type.
    MediaType,
    /// The path does not have this method.
    Method,
    /// There is no such path.
    NotFound,
    /// A credential is missing.
    Unauthenticated,
    /// The credential lacks a permission.
    Forbidden,
    /// The principal's tenant does not have a feature that the operation needs.
    FeatureNotAvailable,
    /// Too many requests.
    RateLimited,
    /// A defect of the server.
    Internal,
    /// Something that the server depends on is not available.
    Unavailable,
    /// The contract has the operation, but the server does not implement it.
    NotImplemented,
}

impl Problem {
    /// HTTP status of the response.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::FeatureNotAvailable => StatusCode::FORBIDDEN,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        }
    }

    /// The code to use when the settings of the contract name none.
    pub(super) const fn default_code(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_request",
            Self::TooLarge => "request_too_large",
            Self::MediaType => "unsupported_media_type",
            Self::Method => "method_not_allowed",
            Self::NotFound => "not_found",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::FeatureNotAvailable => "feature_not_available",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal_error",
            Self::Unavailable => "unavailable",
            Self::NotImplemented => "not_implemented",
        }
    }
}
