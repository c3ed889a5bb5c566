//! The checker against servers of its own: a library that obeys its contract or breaks it in one point, and a
//! museum whose contract others wrote. What the checker must find in them is in `accuracy`.

mod accuracy;
mod commands;
mod contract;
mod error_ranges;
mod inputs;
mod library;
mod museum;
mod proxy;
mod serve;
