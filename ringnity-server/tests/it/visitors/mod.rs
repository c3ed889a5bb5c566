//! Runtime Bootstrap: visitors' sessions and their devices.

mod bootstrap;
mod devices;
mod sessions;
