//! Every kernel is valid WGSL that says what its binding says, and agrees with its CPU twin on the
//! machine's adapter.

mod adapter;
mod twins;
mod validity;
