//! The Python that runs the PyTorch side.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, step};

/// Names an interpreter that has the packages already.
const CHOSEN: &str = "FROSTLINE_PYTHON";

/// Where the PyTorch side lies.
pub fn folder() -> PathBuf {
    root().join("tests/pytorch")
}

/// An interpreter with the pinned packages: the one that a person named, or a virtual environment
/// under `target`, made when it is missing or older than the pins.
pub fn interpreter() -> Result<PathBuf> {
    if let Some(python) = std::env::var_os(CHOSEN) {
        let python = PathBuf::from(python);
        let works = Command::new(&python)
            .args(["-c", "import numpy, safetensors, torch"])
            .output()
            .with_context(|| format!("{CHOSEN}={}", python.display()))?;
        if !works.status.success() {
            bail!(
                "{CHOSEN}={} lacks packages of tests/pytorch/requirements.txt: {}",
                python.display(),
                String::from_utf8_lossy(&works.stderr).trim()
            );
        }
        return Ok(python);
    }
    let environment = root().join("target/pytorch");
    let python = environment.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    let requirements = folder().join("requirements.txt");
    let pins = std::fs::read_to_string(&requirements)
        .with_context(|| requirements.display().to_string())?;
    // Written last: an environment without it is unfinished.
    let installed = environment.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == pins) {
        return Ok(python);
    }
    step(
        "a virtual environment for PyTorch under target/pytorch",
        Command::new(if cfg!(windows) { "python" } else { "python3" })
            .args(["-m", "venv"])
            .arg(&environment),
    )?;
    step(
        "PyTorch into it",
        Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(&requirements),
    )?;
    std::fs::write(&installed, pins).with_context(|| installed.display().to_string())?;
    Ok(python)
}

/// A command that runs `script` of the PyTorch side.
pub fn script(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(folder().join(script))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}
