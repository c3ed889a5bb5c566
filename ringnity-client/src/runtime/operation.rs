//! Metadata of operations, for tracing, tests and tools.

/// Metadata of an operation, from the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// `operationId` in the contract.
    pub id: &'static str,
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path template with parameters in braces, including the path of the contract's server URL.
    pub path: &'static str,
    /// First tag in the contract.
    pub tag: &'static str,
    /// Path, query, header and cookie parameters.
    pub parameters: &'static [Parameter],
    /// Media types of the request body; empty if there is none.
    pub request_types: &'static [&'static str],
    /// Media types of successful responses; empty if they have no body.
    pub response_types: &'static [&'static str],
    /// Accepted kinds of credential; empty if none is needed.
    pub credentials: &'static [&'static str],
    /// Whether the operation can be called without a credential.
    pub anonymous: bool,
}

impl Operation {
    /// An operation without parameters, bodies and credentials. Generated code sets the other fields.
    pub(crate) const fn new(
        id: &'static str,
        method: &'static str,
        path: &'static str,
        tag: &'static str,
    ) -> Self {
        Self {
            id,
            method,
            path,
            tag,
            parameters: &[],
            request_types: &[],
            response_types: &[],
            credentials: &[],
            anonymous: true,
        }
    }

    /// Whether the HTTP method is idempotent (RFC 9110): sending the request twice has the effect of sending it once.
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Name as sent, for example `X-Request-Id`.
    pub name: &'static str,
    /// Where it is sent.
    pub location: ParameterLocation,
    /// Whether it is required.
    pub required: bool,
}

impl Parameter {
    /// Called by generated code.
    #[allow(dead_code, reason = "a contract may have no parameters")]
    pub(crate) const fn new(name: &'static str, location: ParameterLocation, required: bool) -> Self {
        Self { name, location, required }
    }
}

/// Where a parameter is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterLocation {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In a cookie.
    Cookie,
}
