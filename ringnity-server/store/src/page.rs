//! Pages of lists. The caller enforces the maximum page size.

/// A page number and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Page number, from 1. Lower values count as 1.
    pub page: i64,
    /// Rows per page.
    pub limit: i64,
}

impl PageRequest {
    /// A request for page `page` with `limit` rows per page.
    pub fn new(page: i64, limit: i64) -> PageRequest {
        PageRequest { page, limit }
    }

    pub(crate) fn limit(self) -> i64 {
        self.limit.max(0)
    }

    pub(crate) fn offset(self) -> i64 {
        (self.page.max(1) - 1).saturating_mul(self.limit())
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Rows of this page.
    pub rows: Vec<T>,
    /// Rows in the whole list.
    pub total: i64,
}

impl<T> Page<T> {
    /// Whether there are rows after this page.
    pub fn has_more(&self, request: PageRequest) -> bool {
        request.offset().saturating_add(request.limit()) < self.total
    }
}
