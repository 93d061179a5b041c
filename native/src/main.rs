#[allow(dead_code, unused_imports)]
mod plots;

fn main() {}
