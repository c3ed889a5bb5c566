//! Pages of lists. What a page may hold at most is the caller's rule, not ours.

/// Which page of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Counted from 1.
    pub page: i64,
    /// Rows on a page.
    pub limit: i64,
}

impl PageRequest {
    /// That page, with that many rows.
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
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows of the whole list, exactly.
    pub total: i64,
}

impl<T> Page<T> {
    /// Whether rows follow after this page.
    pub fn has_more(&self, request: PageRequest) -> bool {
        request.offset().saturating_add(request.limit()) < self.total
    }
}
