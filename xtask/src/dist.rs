//! What a release holds: the program with its papers in an archive, or the lab, and the checksums of both.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::shipped::files_below;
use crate::{cargo, notices, root, step, target, web};

/// Completions by the name that each shell looks for.
const COMPLETIONS: [(&str, &str); 5] = [
    ("bash", "frostline.bash"),
    ("zsh", "_frostline"),
    ("fish", "frostline.fish"),
    ("powershell", "_frostline.ps1"),
    ("elvish", "frostline.elv"),
];
/// Papers, by their path in the repository; they lie flat in an archive.
const PAPERS: [&str; 6] = [
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.ko.md",
    "README.md",
    "core/assets/sprites/ATTRIBUTION.md",
];
const SUMS: &str = "SHA256SUMS";

/// `cargo xtask dist`: the program for this machine; `cargo xtask dist lab`: the lab.
pub fn run(what: Option<&str>) -> anyhow::Result<()> {
    let dist = target().join("dist");
    std::fs::create_dir_all(&dist).with_context(|| dist.display().to_string())?;
    let version = version()?;
    let made = match what {
        None => program(&dist, &version)?,
        Some("lab") => {
            let archive = dist.join(format!("frostline-lab-{version}.zip"));
            zip(&web::build()?, "", &archive)?;
            archive
        }
        Some(other) => {
            bail!("{other}: only `cargo xtask dist` and `cargo xtask dist lab` are known")
        }
    };
    sums(&dist)?;
    println!(
        "xtask: {} and {}",
        made.display(),
        dist.join(SUMS).display()
    );
    Ok(())
}

/// Builds the program and packs it with all that goes with it.
fn program(dist: &Path, version: &str) -> anyhow::Result<PathBuf> {
    step(
        "the program",
        cargo().args([
            "build",
            "--release",
            "--locked",
            "--package",
            "frostline",
            "--package",
            "frostline-cli",
        ]),
    )?;
    let host = host()?;
    let name = format!("frostline-{version}-{host}");
    let folder = dist.join(&name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context("the earlier folder")?;
    }
    std::fs::create_dir_all(folder.join("completions"))?;
    let binary = format!("frostline{}", std::env::consts::EXE_SUFFIX);
    copy(
        &target().join("release").join(&binary),
        &folder.join(&binary),
    )?;
    for paper in PAPERS {
        let path = root().join(paper);
        let name = path.file_name().context("a paper has no name")?;
        copy(&path, &folder.join(name))?;
    }
    std::fs::write(
        folder.join("THIRD-PARTY-LICENSES.txt"),
        notices::of_program(&host)?,
    )?;
    let frostline = || Command::new(folder.join(&binary));
    for (shell, file) in COMPLETIONS {
        let output = frostline().args(["completions", shell]).output()?;
        if !output.status.success() || output.stdout.is_empty() {
            bail!("frostline completions {shell}: {}", output.status);
        }
        std::fs::write(folder.join("completions").join(file), output.stdout)?;
    }
    step(
        "the manual",
        frostline().arg("manual").arg(folder.join("man/man1")),
    )?;
    bill_of_materials(&dist.join(format!("{name}.cdx.json")), &host)?;
    let archive = if cfg!(windows) {
        let archive = dist.join(format!("{name}.zip"));
        zip(&folder, &format!("{name}/"), &archive)?;
        archive
    } else {
        let archive = dist.join(format!("{name}.tar.gz"));
        tar_gz(&folder, &format!("{name}/"), &archive)?;
        archive
    };
    Ok(archive)
}

/// What the program is made of, in CycloneDX's json, where cargo-cyclonedx is installed.
fn bill_of_materials(file: &Path, host: &str) -> anyhow::Result<()> {
    let known = cargo().args(["cyclonedx", "--version"]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        println!(
            "xtask: cargo-cyclonedx is not installed (cargo install cargo-cyclonedx): no list of what the program is made of"
        );
        return Ok(());
    }
    // It writes beside the manifest of every package of the workspace.
    let written = "frostline-bill-of-materials";
    step(
        "what it is made of",
        cargo()
            .args([
                "cyclonedx",
                "--manifest-path",
                "native/Cargo.toml",
                "--format",
                "json",
                "--spec-version",
                "1.5",
                "--target",
                host,
            ])
            .args(["--override-filename", written]),
    )?;
    let written = format!("{written}.json");
    let text =
        std::fs::read_to_string(root().join("native").join(&written)).context("cargo cyclonedx")?;
    // Whoever reads it has nothing of the folder that it was made in.
    let text = text.replace(&root().display().to_string(), "");
    std::fs::write(file, text).with_context(|| file.display().to_string())?;
    for entry in std::fs::read_dir(root())? {
        let made = entry?.path().join(&written);
        if made.exists() {
            std::fs::remove_file(&made).with_context(|| made.display().to_string())?;
        }
    }
    Ok(())
}

/// An archive of a folder, below `prefix`: the same bytes from the same files.
fn tar_gz(folder: &Path, prefix: &str, archive: &Path) -> anyhow::Result<()> {
    let file = File::create(archive).with_context(|| archive.display().to_string())?;
    let mut tar = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    tar.mode(tar::HeaderMode::Deterministic);
    for file in files_below(folder)? {
        tar.append_path_with_name(folder.join(&file), format!("{prefix}{file}"))?;
    }
    tar.into_inner()?.finish()?;
    Ok(())
}

/// As [`tar_gz`], for systems that know zip better.
fn zip(folder: &Path, prefix: &str, archive: &Path) -> anyhow::Result<()> {
    let file = File::create(archive).with_context(|| archive.display().to_string())?;
    let mut zip = ZipWriter::new(file);
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    for file in files_below(folder)? {
        zip.start_file(format!("{prefix}{file}"), options)?;
        zip.write_all(&std::fs::read(folder.join(&file))?)?;
    }
    zip.finish()?;
    Ok(())
}

/// Writes the checksums of the files that lie in `folder` itself, as `sha256sum --check` reads them.
fn sums(folder: &Path) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for file in files_below(folder)? {
        if !file.contains('/') && file != SUMS {
            let digest = Sha256::digest(std::fs::read(folder.join(&file))?);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            lines.push(format!("{digest}  {file}\n"));
        }
    }
    std::fs::write(folder.join(SUMS), lines.concat()).context(SUMS)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The version of the workspace, which is that of every package.
fn version() -> anyhow::Result<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).context("Cargo.toml")?;
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version
        .map(str::to_owned)
        .context("Cargo.toml names no version")
}

/// The target triple of this machine.
fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(root())
        .output()
        .context("rustc")?;
    let text = String::from_utf8(output.stdout).context("rustc -vV")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn sample() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        std::fs::write(folder.path().join("inner/b.txt"), "two").unwrap();
        std::fs::write(folder.path().join("a.txt"), "abc").unwrap();
        folder
    }

    #[test]
    fn archives_hold_every_file_and_are_the_same_each_time() {
        let (folder, out) = (sample(), tempfile::tempdir().unwrap());
        let bytes = |name: &str, pack: fn(&Path, &str, &Path) -> anyhow::Result<()>| {
            let archive = out.path().join(name);
            pack(folder.path(), "f-1/", &archive).unwrap();
            std::fs::read(archive).unwrap()
        };
        let packed = bytes("1.tar.gz", tar_gz);
        assert_eq!(packed, bytes("2.tar.gz", tar_gz));
        let mut tar = tar::Archive::new(GzDecoder::new(&packed[..]));
        let mut found = Vec::new();
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            found.push((entry.path().unwrap().display().to_string(), text));
        }
        let wanted = [("f-1/a.txt", "abc"), ("f-1/inner/b.txt", "two")];
        assert_eq!(
            found,
            wanted.map(|(path, text)| (path.to_owned(), text.to_owned()))
        );
        let packed = bytes("1.zip", zip);
        assert_eq!(packed, bytes("2.zip", zip));
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(packed)).unwrap();
        for (path, text) in wanted {
            assert_eq!(
                std::io::read_to_string(zip.by_name(path).unwrap()).unwrap(),
                text
            );
        }
    }

    #[test]
    fn checksums_are_those_of_the_files_in_the_folder_itself() {
        let folder = sample();
        sums(folder.path()).unwrap();
        sums(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join(SUMS)).unwrap();
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(text, format!("{abc}  a.txt\n"));
    }

    #[test]
    fn the_papers_of_an_archive_exist_and_the_version_is_the_programs() {
        for paper in PAPERS {
            assert!(root().join(paper).is_file(), "{paper}");
        }
        assert_eq!(version().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}
