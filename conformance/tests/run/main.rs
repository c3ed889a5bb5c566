//! The checker against test servers: a library that obeys its contract or violates it in one way, and a museum with a
//! contract written by others. `accuracy` tests what the checker finds.

mod accuracy;
mod commands;
mod contract;
mod error_ranges;
mod inputs;
mod library;
mod museum;
mod proxy;
mod serve;
