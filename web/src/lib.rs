//! The lab: a page that shows what freezing does to a detector.
//!
//! All arithmetic is the library's ([`frostline::model`], [`frostline::freeze`]). Here it is turned
//! into a [`picture`], [`figures`] and [`words`]; what touches the browser is in `page`, which exists
//! for wasm32 only, so that the rest is tested natively.
#![warn(missing_docs)]

pub mod address;
pub mod chart;
pub mod command;
pub mod dataset;
pub mod edit;
pub mod figures;
pub mod messages;
pub mod overlay;
pub mod picture;
pub mod run;
pub mod scene;
pub mod words;

#[cfg(all(target_arch = "wasm32", feature = "engine"))]
pub mod engine;
#[cfg(all(target_arch = "wasm32", feature = "page"))]
// The program that is there at once uses a part of what all views share.
#[cfg_attr(not(feature = "studio"), allow(dead_code, unused_imports))]
pub mod page;

#[cfg(test)]
mod style_tests;
