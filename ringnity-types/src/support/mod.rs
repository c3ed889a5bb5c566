//! What generated types are made of: three-state fields, open enums, constants.
//!
//! Contract-neutral and hand-written. Nothing here may name a schema, a path or a product: the generator
//! copies this folder beside the types of any document.

mod constant;
mod enums;
mod field;

pub use constant::{ConstFalse, ConstTrue};
pub use enums::UnknownValue;
pub(crate) use enums::{closed_enum, open_enum, text_enum};
pub use field::Field;
