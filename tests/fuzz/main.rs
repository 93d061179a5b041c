//! Hostile and damaged input: never a panic, always an answer in bounded time. Short here; `PROPTEST_CASES` (or
//! `cargo xtask fuzz`) makes it long.
#![allow(clippy::unwrap_used)]

mod checkpoints;
mod freeze;
mod labels;
mod mutate;
mod yaml;
