//! `docs/benchmarks.md`: a section per way of measuring, each replaced as a whole by a new run.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::root;

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`; each section stands with the machine and the command that made it, and is replaced by the next run.
How it measures: [tests/pytorch](../tests/pytorch/README.md).
";

/// The sections in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Cpu,
    Gpu,
    Kernels,
}

impl Section {
    const ALL: [Self; 3] = [Self::Cpu, Self::Gpu, Self::Kernels];

    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Kernels => "kernels",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Cpu => "## Against PyTorch on the CPU",
            Self::Gpu => "## Against PyTorch on a GPU",
            Self::Kernels => "## Kernels against Burn's own operations",
        }
    }

    fn marks(self) -> (String, String) {
        let name = self.name();
        (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n"))
    }

    fn body(self, document: &str) -> Option<&str> {
        let (start, end) = self.marks();
        let (_, rest) = document.split_once(&start)?;
        Some(rest.split_once(&end)?.0)
    }
}

/// Replaces a section.
///
/// # Errors
/// When the document cannot be written.
pub fn write(section: Section, body: &str) -> Result<PathBuf> {
    let path = root().join("docs/benchmarks.md");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    std::fs::write(&path, with_section(&before, section, body))
        .with_context(|| path.display().to_string())?;
    Ok(path)
}

fn with_section(before: &str, section: Section, body: &str) -> String {
    let mut document = HEAD.to_owned();
    for each in Section::ALL {
        let (start, end) = each.marks();
        let body = if each == section {
            body
        } else {
            each.body(before).unwrap_or("Not measured yet.")
        };
        document += &format!("\n{}\n\n{start}\n{}\n\n{end}", each.title(), body.trim());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_the_others_stay() {
        let first = with_section("", Section::Cpu, "fast");
        assert!(first.contains("fast") && first.contains("Not measured yet"));
        let second = with_section(&first, Section::Gpu, "faster\n");
        assert!(second.contains("\nfast\n") && second.contains("\nfaster\n"));
        let third = with_section(&second, Section::Cpu, "slow");
        assert!(!third.contains("\nfast\n") && third.contains("\nfaster\n"));
        assert_eq!(with_section(&third, Section::Cpu, "slow"), third);
    }
}
