//! Security requirements: one file for each line of S2 and S4. Operations, credentials, scopes and bodies come from
//! the contract.

mod authentication;
mod operations;
mod s2_1_secrets;
mod s2_2_matrix;
mod s2_3_tenants;
mod s2_4_sign_in;
mod s2_5_origins;
mod s2_6_revocation;
mod s4_1_size;
mod s4_2_input;
