//! Which device to compute on.
