//! Who signs in, and what they sign in with: agents, owners and platform administrators, their sessions, entry tokens,
//! and the keys that sign tokens.

mod agents;
mod entry_tokens;
mod owner_identities;
mod owners;
mod platform_admins;
mod sessions;
mod sign_in_addresses;
mod signing_keys;

pub use agents::*;
pub use entry_tokens::*;
pub use owner_identities::*;
pub use owners::*;
pub use platform_admins::*;
pub use sessions::*;
pub use sign_in_addresses::*;
pub use signing_keys::*;
