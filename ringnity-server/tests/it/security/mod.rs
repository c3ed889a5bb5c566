//! What must stay shut: one file for each line of S2 and S4. What can be derived from the contract is: operations,
//! their credentials and scopes, their bodies.

mod operations;
mod s2_1_secrets;
mod s2_2_matrix;
mod s2_3_tenants;
mod s2_4_sign_in;
mod s2_5_origins;
mod s2_6_revocation;
mod s4_1_size;
mod s4_2_input;
