//! The engine's program.

#[cfg(target_arch = "wasm32")]
fn main() {
    let _ = frostline::model::Architecture::yolov5(frostline::model::Size::N, 3);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a browser. Build and serve it with: cargo xtask serve");
}
