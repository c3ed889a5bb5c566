#![doc = include_str!("../README.md")]

#[rustfmt::skip]
mod generated;
mod runtime;
mod tenant;

pub use generated::*;
pub use ringnity_types as types;
pub use runtime::*;
