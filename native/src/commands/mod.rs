//! One module per command.

pub mod bench;
mod coco;
pub mod data;
pub mod detect;
pub mod devices;
pub mod export;
pub mod inspect;
pub mod shell;
mod source;
pub mod train;
pub mod val;
mod video;
