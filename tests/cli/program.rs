//! The program, its output, and the tiny world that it learns.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use frostline_tests::golden;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine: what waits longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// What a run of the program left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Outcome {
    /// Itself, when the exit code was `code`.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Itself, when standard error has every one of `words`.
    pub fn expect_words(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "{word:?} is missing in:\n{}",
                self.stderr
            );
        }
        self
    }
}

/// The program with `args`, started in `folder`.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_frostline"));
    command
        .current_dir(folder)
        .args(args)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run(folder: &Path, args: &[&str]) -> Outcome {
    command(folder, args)
        .output()
        .expect("the program starts")
        .into()
}

/// Starts the program and does not wait.
pub fn start(folder: &Path, args: &[&str]) -> Child {
    command(folder, args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// What a started program left.
pub fn wait(child: Child) -> Outcome {
    child.wait_with_output().expect("the program ends").into()
}

/// Waits until `condition` holds, or the program has ended: then false.
pub fn wait_until(child: &mut Child, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if child.try_wait().expect("a child of this process").is_some() {
            return condition();
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// A drawn target world of 12 training and 4 validation pictures of 64 px, and its yaml.
pub fn world() -> &'static Path {
    static WORLD: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, yaml) = WORLD.get_or_init(|| {
        let root = tempfile::tempdir().expect("a temporary folder");
        let args = [
            "data", "synth", "world", "--world", "target", "--train", "12", "--val", "4",
            "--imgsz", "64",
        ];
        run(root.path(), &args).expect_code(0);
        let yaml = root.path().join("world/target.yaml");
        (root, yaml)
    });
    yaml
}

/// The golden yolov5n with three classes, as a `.pt`.
pub fn weights() -> String {
    golden("model/yolov5n_nc3_pickled_half.pt")
        .display()
        .to_string()
}

/// `train` on the tiny world for `epochs`, 3 batches each, with `more` flags.
pub fn training(epochs: usize, more: &[&str]) -> Vec<String> {
    training_from(&weights(), epochs, more)
}

/// As [`training`], from other weights.
pub fn training_from(weights: &str, epochs: usize, more: &[&str]) -> Vec<String> {
    let mut args: Vec<String> = [
        "train",
        "--device",
        "cpu",
        "--imgsz",
        "64",
        "--batch-size",
        "4",
        "--data",
    ]
    .map(str::to_owned)
    .into();
    args.push(world().display().to_string());
    args.extend([
        "--weights".to_owned(),
        weights.to_owned(),
        "--epochs".to_owned(),
        epochs.to_string(),
    ]);
    args.extend(more.iter().map(|&flag| flag.to_owned()));
    args
}

/// Borrowed, as [`run`] wants them.
pub fn borrowed(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Every file below `folder`, or the file itself, with its hash.
pub fn hashes(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut paths = vec![folder.to_path_buf()];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let digest = Sha256::digest(fs::read(&path).unwrap());
            found.insert(
                path,
                digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            );
        }
    }
    found
}

/// The files by which two runs are compared, byte for byte.
pub const RESULTS: [&str; 3] = [
    "weights/best.safetensors",
    "weights/last.safetensors",
    "results.csv",
];

/// Asserts that two runs came to the same weights and figures, bit for bit.
pub fn assert_same_run(run: &Path, reference: &Path, how: &str) {
    for file in RESULTS {
        let [ours, theirs] = [run, reference].map(|run| fs::read(run.join(file)).unwrap());
        assert!(
            ours == theirs,
            "{file} of {} differs from {}: {how}",
            run.display(),
            reference.display()
        );
    }
}
