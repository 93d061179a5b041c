//! The program as a person runs it: the real binary, on sets so small that a run takes seconds.
#![allow(clippy::unwrap_used)]

mod advise;
mod bench;
mod coco;
mod compare;
mod data;
mod errors;
mod evolve;
mod export;
mod features;
mod fetch;
mod forecast;
mod inspect;
mod interrupted;
mod program;
mod recovery;
mod repeated;
mod trained;
mod video;
mod watched;
