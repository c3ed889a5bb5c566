//! Values that the API and the store share: ids, and the features of plans. The API puts them into principals, the
//! store reads them from rows, so nothing between the two converts text.

pub mod ids;
mod plan;

pub use ids::*;
pub use plan::{Feature, Features};
