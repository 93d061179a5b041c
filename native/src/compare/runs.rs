//! One run of a comparison.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::args::CompareSettings;
use crate::interrupt;

/// A plan with a seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Number of the plan.
    pub plan: usize,
    /// What it freezes.
    pub freeze: String,
    pub seed: u64,
}

impl Run {
    /// Its folder's name: the plan's number, what of its text a folder may be called, and the seed.
    pub fn name(&self) -> String {
        let plain: String = (self.freeze.chars())
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(24)
            .collect();
        format!(
            "plan{}-{}-seed{}",
            self.plan + 1,
            plain.trim_matches('-'),
            self.seed
        )
    }

    /// Trains it, unless it has ended; goes on with one that was interrupted.
    ///
    /// # Errors
    /// When the run fails or is interrupted.
    pub fn train(&self, settings: &CompareSettings) -> Result<()> {
        let path = super::run_path(&settings.folder, self);
        if has_ended(&path) {
            return Ok(());
        }
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command.arg("train");
        if path.join("weights/last.safetensors").exists() {
            command.arg("--resume").arg(&path);
        } else {
            let seed = self.seed.to_string();
            command
                .args(&settings.flags)
                .args(["--freeze", &self.freeze, "--seed", &seed]);
            command.arg("--project").arg(&settings.folder);
            command.args(["--name", &self.name(), "--exist-ok"]);
        }
        let status = command.status().context("a run of train")?;
        interrupt::check()?;
        if !status.success() {
            bail!(
                "freeze {}, seed {}: train ended with {status}",
                self.freeze,
                self.seed
            );
        }
        Ok(())
    }
}

/// The receipt is the last that a run writes before its summary.
fn has_ended(path: &Path) -> bool {
    path.join("receipt.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_any_text_have_folders_of_their_own() {
        let name = |plan, freeze: &str| {
            let freeze = freeze.to_owned();
            Run {
                plan,
                freeze,
                seed: 3,
            }
            .name()
        };
        assert_eq!(name(0, "10"), "plan1-10-seed3");
        assert_eq!(name(1, "24; 10@5"), "plan2-24--10-5-seed3");
        assert_ne!(name(0, "../x"), name(1, "../x"));
        assert!(!name(0, "../x").contains(['/', '.']));
    }
}
