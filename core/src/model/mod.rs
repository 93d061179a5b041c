//! The network: its architecture as data, its blocks, and the runner that can be cut anywhere.

pub mod architecture;
#[cfg(feature = "engine")]
pub mod blocks;
pub mod costs;
#[cfg(feature = "engine")]
pub mod detect;
#[cfg(feature = "engine")]
pub mod folded;
#[cfg(feature = "engine")]
mod layer;
#[cfg(feature = "engine")]
pub mod norm;
mod parameter;
mod row_reader;
mod rows;
mod size;
#[cfg(feature = "engine")]
pub mod state;
mod yaml;
#[cfg(feature = "engine")]
pub mod yolov5;

pub use architecture::{Architecture, Size};
#[cfg(feature = "engine")]
pub use folded::Folded;
#[cfg(feature = "engine")]
pub use norm::BatchNorm;
#[cfg(feature = "engine")]
pub use state::{Mode, Visitor};
#[cfg(feature = "engine")]
pub use yolov5::{Features, Yolov5};
