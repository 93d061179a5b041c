//! The engine's program.

#[cfg(target_arch = "wasm32")]
fn main() {
    frostline_web::engine::start();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a browser. Build and serve it with: cargo xtask serve");
}
