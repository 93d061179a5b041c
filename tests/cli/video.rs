//! `detect` on videos, which ffmpeg reads and writes.

use std::fs;
use std::process::Command;

use crate::program::{command, run, weights};

fn detect(source: &str) -> Vec<String> {
    [
        "detect",
        "--weights",
        &weights(),
        "--source",
        source,
        "--imgsz",
        "64",
        "--device",
        "cpu",
    ]
    .map(str::to_owned)
    .into()
}

#[test]
fn a_video_without_ffmpeg_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clip.mp4"), "no video").unwrap();
    let args = detect("clip.mp4");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let output = command(folder.path(), &args)
        .env("PATH", folder.path())
        .output()
        .unwrap();
    crate::program::Outcome::from(output)
        .expect_code(2)
        .expect_words(&["no ffmpeg on the PATH", "save the frames as pictures"]);
}

#[test]
fn every_frame_of_a_video_is_looked_at_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=97x64:rate=5:duration=2",
            "clip.avi",
        ])
        .current_dir(folder.path())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("SKIPPED: no ffmpeg");
        return;
    }
    let args = detect("*.avi");
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--save-txt", "--conf-thres", "0.001"]);
    run(folder.path(), &args)
        .expect_code(0)
        .expect_words(&["in 10 frames", "1 files, 0 left out"]);
    let exp = folder.path().join("runs/detect/exp");
    assert!(fs::metadata(exp.join("clip.mp4")).unwrap().len() > 0);
    assert_eq!(fs::read_dir(exp.join("labels")).unwrap().count(), 10);
    // What was written is a video again.
    let again = exp.join("clip.mp4").display().to_string();
    let args = detect(&again);
    let args: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .chain(["--nosave", "--vid-stride", "3"])
        .collect();
    run(folder.path(), &args)
        .expect_code(0)
        .expect_words(&["in 4 frames"]);
}
