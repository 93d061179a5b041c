//! One module per command.

pub mod bench;
pub mod data;
pub mod detect;
pub mod devices;
pub mod export;
pub mod inspect;
pub mod train;
pub mod val;
