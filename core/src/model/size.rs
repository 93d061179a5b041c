//! The published sizes and their multiples.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The five published sizes of YOLOv5 v6.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs)]
pub enum Size {
    N,
    S,
    M,
    L,
    X,
}

impl Size {
    /// All sizes, smallest first.
    pub const ALL: [Self; 5] = [Self::N, Self::S, Self::M, Self::L, Self::X];

    /// Depth and width multiples (FACTS 1).
    pub fn multiples(self) -> (f64, f64) {
        match self {
            Self::N => (0.33, 0.25),
            Self::S => (0.33, 0.50),
            Self::M => (0.67, 0.75),
            Self::L => (1.0, 1.0),
            Self::X => (1.33, 1.25),
        }
    }
}

/// One letter: `n`, `s`, `m`, `l` or `x`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::N => "n",
            Self::S => "s",
            Self::M => "m",
            Self::L => "l",
            Self::X => "x",
        })
    }
}

/// Understands `n`, `yolov5n`, `yolov5n.yaml`, `yolov5n.yml` and `models/yolov5n.yaml`.
impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let stem = name
            .strip_suffix(".yaml")
            .or_else(|| name.strip_suffix(".yml"))
            .unwrap_or(&name);
        let letter = stem.strip_prefix("yolov5").unwrap_or(stem);
        Self::ALL
            .into_iter()
            .find(|size| size.to_string() == letter)
            .ok_or_else(|| {
                Error::input(
                    "architecture",
                    format_args!("{text:?}"),
                    "yolov5n, yolov5s, yolov5m, yolov5l or yolov5x",
                    "Give one of these, or the path of an architecture yaml",
                )
            })
    }
}

impl TryFrom<String> for Size {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}
