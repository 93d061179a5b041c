//! The page's program with the Freeze view alone.

#[cfg(target_arch = "wasm32")]
fn main() {
    frostline_web::page::mount();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This program runs in a browser. Build and serve it with: cargo xtask serve");
}
