//! The engine: the library in a worker of its own, which the page talks to in [messages](crate::messages).
//!
//! One loop does everything in turn: it answers what was asked, and while a run is under way it does one piece of it
//! after the other and looks for questions between two. So nothing is ever done in the middle of something else.

mod browser;
mod check;
mod device;
mod files;
mod inbox;
mod network;
mod opfs;
mod training;
mod work;

pub use work::start;
