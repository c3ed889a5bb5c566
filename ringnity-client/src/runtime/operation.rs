//! What a contract says about an operation, as data: for tracing, for checks, for tools.

/// One operation of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// The contract's `operationId`.
    pub id: &'static str,
    /// Upper-case HTTP method.
    pub method: &'static str,
    /// Path with its variables in braces, server prefix included.
    pub path: &'static str,
    /// The tag it is filed under.
    pub tag: &'static str,
    /// Path, query, header and cookie parameters.
    pub parameters: &'static [Parameter],
    /// Media types that its request body may have; empty when it takes none.
    pub request_types: &'static [&'static str],
    /// Media types of its successful answers; empty when they have no body.
    pub response_types: &'static [&'static str],
    /// Kinds of credential that it accepts; empty when it needs none.
    pub credentials: &'static [&'static str],
    /// Whether it may be called without a credential.
    pub anonymous: bool,
}

impl Operation {
    /// Declares an operation; generated code does.
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

    /// Whether sending it twice does no more than sending it once, by the meaning of its method.
    pub fn is_idempotent(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
    }
}

/// A parameter of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name on the wire.
    pub name: &'static str,
    /// Where it travels.
    pub location: ParameterLocation,
    /// Whether it must be sent.
    pub required: bool,
}

impl Parameter {
    /// Declares a parameter; generated code does.
    #[allow(dead_code, reason = "a contract may have no parameters")]
    pub(crate) const fn new(name: &'static str, location: ParameterLocation, required: bool) -> Self {
        Self { name, location, required }
    }
}

/// Where a parameter travels.
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
