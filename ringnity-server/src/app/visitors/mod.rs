//! Visitors: bootstrap of the widget, their sessions and push devices.

pub mod devices;
pub mod runtime;
pub mod runtime_sessions;
