//! One module per command.

pub mod bench;
pub mod data;
pub mod detect;
pub mod devices;
pub mod inspect;
pub mod shell;
pub mod train;
pub mod val;
