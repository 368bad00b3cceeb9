//! Tells the crate whether there is a built console to embed: `cfg(console)`.
//!
//! Does not build it: `cargo build` needs no Node and no npm registry. `deploy/build-console` does, and `npx vite build`.

use std::path::Path;

/// Where Vite writes the console. In the repository it is there and empty but for a `.gitkeep`, so that cargo has something to
/// watch: of a path that does not exist it would take every build for the first.
const BUILT: &str = "../console/dist";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(console)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={BUILT}");
    if Path::new(BUILT).join("index.html").is_file() {
        println!("cargo::rustc-cfg=console");
    }
}
