#[allow(dead_code)]
mod loader;
#[allow(dead_code, unused_imports)]
mod plots;

fn main() {}
