//! Emitters: each turns the model into the files of one crate and knows nothing of the others.

pub mod types;
