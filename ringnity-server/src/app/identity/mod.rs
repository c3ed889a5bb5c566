//! Owners, staff, platform administrators and SDK tokens: accounts, sign-in and sessions.

pub mod accounts;
pub mod google;
pub mod login;
pub mod owners;
pub mod platform_auth;
pub mod provisioning;
pub mod sdk_tokens;
pub mod sessions;
pub mod workspace;
