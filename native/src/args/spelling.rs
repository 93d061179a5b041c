//! What people type, before clap sees it: underscores in flags, and the reference's flags that this
//! program does not have.

use std::ffi::OsString;

use frostline::{Error, Result};

/// The reference's flags without a counterpart here, and what to do instead.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("--adam", "Use --optimizer Adam"),
    (
        "--artifact-alias",
        "Logging to a service is not supported: leave it out",
    ),
    (
        "--bbox-interval",
        "Logging to a service is not supported: leave it out",
    ),
    ("--bucket", "Uploading is not supported: leave it out"),
    ("--dnn", "OpenCV is not used: leave it out"),
    (
        "--entity",
        "Logging to a service is not supported: leave it out",
    ),
    (
        "--evolve-population",
        "A search needs no first population: leave it out",
    ),
    ("--half", "Inference runs in single precision: leave it out"),
    (
        "--inplace",
        "The graph is written from the architecture: leave it out",
    ),
    (
        "--int8",
        "Export single precision, and quantise the .onnx file with onnxruntime's tools",
    ),
    (
        "--keras",
        "TensorFlow's files are not written: export ONNX and convert that",
    ),
    (
        "--linear-lr",
        "The linear schedule is the default: leave it out",
    ),
    ("--local-rank", "Training runs on one device: leave it out"),
    ("--ndjson-console", "Use --log json"),
    ("--ndjson-file", "Use --log run.jsonl"),
    (
        "--optimize",
        "Phones' files are not written: export ONNX and convert that",
    ),
    (
        "--quad",
        "Four mosaics in one are not supported: use a larger --imgsz with a smaller --batch-size",
    ),
    (
        "--resume-evolve",
        "The same command again goes on where it was: leave it out",
    ),
    (
        "--save-format",
        "Label files are relative to the picture, as for training: leave it out",
    ),
    (
        "--save-hybrid",
        "Hybrid labels are not supported: leave it out",
    ),
    (
        "--simplify",
        "The graph has nothing to simplify: leave it out",
    ),
    (
        "--sync-bn",
        "Training runs on one device, where it changes nothing: leave it out",
    ),
    ("--topk-all", "Use --max-det"),
    ("--topk-per-class", "Use --max-det"),
    ("--update", "Use `frostline train` to write weights again"),
    (
        "--upload-dataset",
        "Uploading is not supported: leave it out",
    ),
    (
        "--view-img",
        "Windows are not opened: look at the pictures in the run folder",
    ),
    ("--visualize", "Feature maps are not drawn: leave it out"),
    (
        "--workspace",
        "TensorRT's files are not written: export ONNX and convert that",
    ),
];

/// Those that `export` has all the same.
const EXPORTED: &[&str] = &["--half"];

/// Rewrites `--conf_thres` as `--conf-thres` and refuses flags that this program does not have.
///
/// # Errors
/// A flag of the reference that is not supported, with what to do instead.
pub fn normalize(args: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut flags = true;
    let args: Vec<OsString> = args.into_iter().collect();
    let exports = args.get(1).is_some_and(|command| command == "export");
    args.into_iter()
        .map(|arg| {
            let Some(text) = arg.to_str() else {
                return Ok(arg);
            };
            if text == "--" {
                flags = false;
            }
            if !flags || !text.starts_with("--") {
                return Ok(arg);
            }
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            let name = name.replace('_', "-");
            if let Some((flag, instead)) = UNSUPPORTED
                .iter()
                .find(|(flag, _)| *flag == name && !(exports && EXPORTED.contains(flag)))
            {
                return Err(Error::input(
                    "command line",
                    format!("{flag}, which this program does not have"),
                    "the flags of `--help`",
                    instead,
                ));
            }
            Ok(OsString::from(match value {
                Some(value) => format!("{name}={value}"),
                None => name,
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(args: &[&str]) -> Result<Vec<OsString>> {
        normalize(args.iter().map(OsString::from))
    }

    #[test]
    fn underscores_in_flags_become_hyphens_and_values_stay() {
        assert_eq!(
            normalized(&["--conf_thres=0.1", "--data", "my_data.yaml", "--name=a_b"]).unwrap(),
            ["--conf-thres=0.1", "--data", "my_data.yaml", "--name=a_b"]
        );
    }

    #[test]
    fn flags_of_the_reference_that_are_missing_say_what_to_do() {
        for (flag, instead) in UNSUPPORTED {
            let message = normalized(&["train", flag]).unwrap_err().to_string();
            assert!(
                message.contains(flag) && message.ends_with(instead),
                "{message}"
            );
        }
        assert!(normalized(&["frostline", "export", "--half"]).is_ok());
        assert!(normalized(&["frostline", "val", "--half"]).is_err());
        assert!(normalized(&["train", "--sync_bn"]).is_err());
        assert!(normalized(&["detect", "--", "--quad"]).is_ok());
    }
}
