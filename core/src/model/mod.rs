//! The network: its architecture as data, its blocks, and the runner that can be cut anywhere.

pub mod architecture;
pub mod blocks;
pub mod costs;
pub mod detect;
pub mod folded;
mod layer;
pub mod norm;
mod parameter;
mod row_reader;
mod rows;
mod size;
pub mod state;
mod yaml;
pub mod yolov5;

pub use architecture::{Architecture, Size};
pub use folded::Folded;
pub use norm::BatchNorm;
pub use state::{Mode, Visitor};
pub use yolov5::{Features, Yolov5};
