//! Hand-written building blocks of generated types: three-state fields, open and closed enums, constants.
//!
//! The generator copies this folder next to the types of other contracts. Nothing here may name a schema, a path
//! or a product.

mod constant;
mod enums;
mod field;

pub use constant::{ConstFalse, ConstTrue};
pub use enums::UnknownValue;
pub(crate) use enums::{closed_enum, open_enum, text_enum};
pub use field::Field;
