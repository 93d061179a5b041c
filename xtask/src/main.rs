//! Chores in one word each: `cargo xtask test`, `cargo xtask lint`, `cargo xtask bench`.

mod bench;
mod dist;
mod notices;
mod python;
mod shipped;
mod web;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, bail};

const HELP: &str = "\
cargo xtask test    bring what the tests need, then run them all
cargo xtask serve   build the lab and serve it on this machine (a port may follow)
cargo xtask web     only build the lab, into web/dist
cargo xtask quick   only build the page, quickly and large, into that folder: for trying a change
cargo xtask lint    formatting, clippy and, where it is installed, cargo deny
cargo xtask setup   only bring what the tests need: the wasm32 target, a software Vulkan driver, onnxruntime and pycocotools, a browser
cargo xtask dist    what a release holds, for this machine, into target/dist; `dist lab`: the lab
cargo xtask fuzz    the fuzz targets for long (FROSTLINE_FUZZ_CASES, default 100000 cases each)";

/// The target that the library must compile for from the first day.
const WASM: &str = "wasm32-unknown-unknown";
/// Debian's names of the Vulkan loader and the software driver.
const VULKAN_PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];

fn main() -> ExitCode {
    let result = match std::env::args().nth(1).as_deref() {
        Some("test") => test(),
        Some("serve") => web::serve(std::env::args().nth(2)),
        Some("web") => web::build().map(|_| ()),
        Some("quick") => web::quick(),
        Some("finish-trunk") => web::finish_trunk(),
        Some("dist") => dist::run(std::env::args().nth(2).as_deref()),
        Some("lint") => lint(),
        Some("setup") => setup(),
        Some("fuzz") => fuzz(),
        Some("bench") => bench::run(std::env::args().skip(2)),
        _ => {
            println!("{HELP}\n{}", bench::HELP);
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that a change must pass.
fn test() -> anyhow::Result<()> {
    setup()?;
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    let mut tests = cargo();
    tests.args([
        "test",
        "--release",
        "--workspace",
        "--locked",
        "--no-fail-fast",
    ]);
    if let Some(python) = readers() {
        tests.env(python::CHOSEN, python);
    }
    step("tests", &mut tests)?;
    step(
        "the library for the browser",
        cargo().args([
            "check",
            "--release",
            "--locked",
            "--package",
            "frostline",
            "--no-default-features",
            "--features",
            "engine",
            "--target",
            WASM,
        ]),
    )?;
    web::test()
}

fn lint() -> anyhow::Result<()> {
    step("formatting", cargo().args(["fmt", "--all", "--check"]))?;
    step(
        "clippy",
        cargo().args([
            "clippy",
            "--release",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    step(
        "clippy on the page",
        cargo().args([
            "clippy",
            "--package",
            "frostline-web",
            "--features",
            "studio",
            "--profile",
            "page",
            "--locked",
            "--target",
            WASM,
            "--",
            "--deny",
            "warnings",
        ]),
    )?;
    if cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
    {
        return step(
            "licences and advisories",
            cargo().args(["deny", "check", "licenses", "bans", "sources"]),
        );
    }
    println!(
        "xtask: cargo deny is not installed (cargo install cargo-deny): licences are not checked"
    );
    Ok(())
}

fn fuzz() -> anyhow::Result<()> {
    let cases = std::env::var("FROSTLINE_FUZZ_CASES").unwrap_or_else(|_| "100000".to_owned());
    step(
        "fuzz targets",
        cargo().env("PROPTEST_CASES", cases).args([
            "test",
            "--release",
            "--workspace",
            "--locked",
            "--test",
            "fuzz",
        ]),
    )
}

/// Brings the wasm32 target, a software Vulkan driver, onnxruntime and pycocotools, when they are missing and can be had.
fn setup() -> anyhow::Result<()> {
    if !wasm_library()?.is_dir() {
        step(
            "the wasm32 target",
            Command::new("rustup")
                .args(["target", "add", WASM])
                .current_dir(root()),
        )?;
    }
    if cfg!(target_os = "linux") && !has_vulkan_driver() {
        let install = format!(
            "apt-get update -qq && apt-get install -y -qq {}",
            VULKAN_PACKAGES.join(" ")
        );
        if is_root() && Path::new("/usr/bin/apt-get").exists() {
            step(
                "a software Vulkan driver",
                Command::new("sh").args(["-c", &install]),
            )?;
        } else {
            println!(
                "xtask: no Vulkan driver found, the GPU tests will say that they are skipped. On Debian or Ubuntu: sudo sh -c '{install}'"
            );
        }
    }
    readers();
    web::setup()
}

/// A Python that reads what the program writes, where one can be had.
fn readers() -> Option<PathBuf> {
    let python = match python::is_there() {
        true => python::READERS.interpreter(),
        false => Err(anyhow::anyhow!("there is no Python")),
    };
    match python {
        Ok(python) => Some(python),
        Err(error) => {
            println!(
                "xtask: exported networks and COCO files are not read by other programs, those tests are SKIPPED: {error:#}"
            );
            None
        }
    }
}

fn wasm_library() -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root())
        .output()
        .context("rustc")?;
    let sysroot = String::from_utf8(output.stdout).context("the sysroot")?;
    Ok(Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM)
        .join("lib"))
}

fn has_vulkan_driver() -> bool {
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"]
        .iter()
        .any(|folder| std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()))
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Runs a command and says how long it took.
fn step(what: &str, command: &mut Command) -> anyhow::Result<()> {
    println!("xtask: {what}");
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("{what}: {command:?} could not be started"))?;
    println!(
        "xtask: {what} took {:.0} s",
        started.elapsed().as_secs_f64()
    );
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}
