//! Sign-in and sessions of owners, staff and platform administrators, and SDK tokens.

mod google;
mod owner_sessions;
mod owners;
mod platform_admins;
mod sdk_tokens;
mod workspace;
