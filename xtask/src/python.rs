//! Python for the measurements beside PyTorch and the tests beside onnxruntime and pycocotools: a virtual environment each, under `target`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{root, step};

/// Names an interpreter that has the packages already.
pub const CHOSEN: &str = "FROSTLINE_PYTHON";
const SYSTEM: &str = if cfg!(windows) { "python" } else { "python3" };

/// A folder of scripts under `tests` with the packages that they need.
#[derive(Debug)]
pub struct Scripts {
    name: &'static str,
    imports: &'static str,
}

/// The network in PyTorch.
pub const PYTORCH: Scripts = Scripts {
    name: "pytorch",
    imports: "import numpy, safetensors, torch",
};
/// Exported networks in onnxruntime, detections in COCO's own program.
pub const READERS: Scripts = Scripts {
    name: "python",
    imports: "import numpy, onnx, onnxruntime, pycocotools",
};

/// Whether there is a Python at all.
pub fn is_there() -> bool {
    let version = Command::new(SYSTEM).arg("--version").output();
    std::env::var_os(CHOSEN).is_some() || version.is_ok_and(|output| output.status.success())
}

impl Scripts {
    /// Where they lie.
    fn folder(&self) -> PathBuf {
        root().join("tests").join(self.name)
    }

    /// An interpreter with the pinned packages: the one that a person named, or a virtual environment
    /// under `target`, made when it is missing or older than the pins.
    pub fn interpreter(&self) -> Result<PathBuf> {
        if let Some(python) = std::env::var_os(CHOSEN) {
            let python = PathBuf::from(python);
            let works = Command::new(&python)
                .args(["-c", self.imports])
                .output()
                .with_context(|| format!("{CHOSEN}={}", python.display()))?;
            if !works.status.success() {
                bail!(
                    "{CHOSEN}={} lacks packages of tests/{}/requirements.txt: {}",
                    python.display(),
                    self.name,
                    String::from_utf8_lossy(&works.stderr).trim()
                );
            }
            return Ok(python);
        }
        let environment = root().join("target").join(self.name);
        let python = environment.join(if cfg!(windows) {
            "Scripts/python.exe"
        } else {
            "bin/python"
        });
        let requirements = self.folder().join("requirements.txt");
        let pins = std::fs::read_to_string(&requirements)
            .with_context(|| requirements.display().to_string())?;
        // Written last: an environment without it is unfinished.
        let installed = environment.join("installed.txt");
        if std::fs::read_to_string(&installed).is_ok_and(|text| text == pins) {
            return Ok(python);
        }
        step(
            &format!("a virtual environment under target/{}", self.name),
            Command::new(SYSTEM).args(["-m", "venv"]).arg(&environment),
        )?;
        step(
            &format!("the packages of tests/{} into it", self.name),
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet", "--requirement"])
                .arg(&requirements),
        )?;
        std::fs::write(&installed, pins).with_context(|| installed.display().to_string())?;
        Ok(python)
    }

    /// A command that runs `script` of this folder.
    pub fn script(&self, python: &Path, script: &str) -> Command {
        let mut command = Command::new(python);
        command
            .arg(self.folder().join(script))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
