//! What the server asks of others over the network: each need behind a trait, with the real thing beside it. No
//! rule and no SQL here, and nothing of it is called inside a write of the store.

pub mod google;
pub mod jwks;
