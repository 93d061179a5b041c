//! Which device to compute on.

use crate::error::Error;

/// A failed device as the library's error.
pub(crate) fn failed(error: impl std::fmt::Display) -> Error {
    Error::input("the device", error, "a finished computation", "Try a smaller --batch-size or --device cpu")
}
