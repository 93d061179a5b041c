//! Interrupted runs: Ctrl-C and kill -9, then `--resume`. The resumed run ends in the bits of one that nobody
//! interrupted.
#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use crate::program::{assert_same_run, borrowed, run, start, training, wait, wait_until};

/// Exit code of an interrupted run.
const INTERRUPTED: i32 = 130;
/// Kills per test run; `FROSTLINE_KILLS` asks for more.
const KILLS: usize = 3;

fn arguments(name: &str, more: &[&str]) -> Vec<String> {
    // Momentum, Adam's memory and a change of the plan must all survive.
    let flags = [
        "--freeze",
        "10; 5@3",
        "--optimizer",
        "AdamW",
        "--hyp-set",
        "lr0=0.001",
        "--noplots",
        "--noforecast",
        "--seed",
        "3",
        "--name",
        name,
    ];
    training(5, &[&flags, more].concat())
}

fn resume(name: &str) -> Vec<String> {
    vec![
        "train".to_owned(),
        "--resume".to_owned(),
        format!("runs/train/{name}"),
    ]
}

fn rows(run: &Path) -> usize {
    fs::read_to_string(run.join("results.csv"))
        .map_or(0, |text| text.lines().count().saturating_sub(1))
}

fn interrupt(child: &Child) {
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success(), "the signal reaches the program");
}

/// A run to its end that nobody interrupts, and how long it took.
fn reference(folder: &Path, more: &[&str]) -> (PathBuf, Duration) {
    let started = Instant::now();
    run(folder, &borrowed(&arguments("reference", more))).expect_code(0);
    (folder.join("runs/train/reference"), started.elapsed())
}

#[test]
fn a_run_that_is_interrupted_three_times_ends_in_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let (reference, _) = reference(folder.path(), &[]);
    let run_folder = folder.path().join("runs/train/stopped");
    let last = run_folder.join("weights/last.safetensors");

    // In the first epoch, before anything was validated.
    let mut child = start(folder.path(), &borrowed(&arguments("stopped", &[])));
    assert!(
        wait_until(&mut child, || last.is_file()),
        "{:?}",
        wait(child)
    );
    interrupt(&child);
    wait(child)
        .expect_code(INTERRUPTED)
        .expect_words(&["finishing this step", "--resume runs/train/stopped"]);
    assert_eq!(rows(&run_folder), 0);

    // In a later epoch.
    let mut child = start(folder.path(), &borrowed(&resume("stopped")));
    assert!(
        wait_until(&mut child, || rows(&run_folder) == 2),
        "{:?}",
        wait(child)
    );
    interrupt(&child);
    wait(child)
        .expect_code(INTERRUPTED)
        .expect_words(&["resuming"]);

    // Twice: the second Ctrl-C ends at once, and what was saved before still goes on.
    let mut child = start(folder.path(), &borrowed(&resume("stopped")));
    assert!(
        wait_until(&mut child, || rows(&run_folder) == 3),
        "{:?}",
        wait(child)
    );
    let pressed = Instant::now();
    interrupt(&child);
    let _ = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    wait(child).expect_code(INTERRUPTED);
    println!("two presses ended the run in {:?}", pressed.elapsed());

    run(folder.path(), &borrowed(&resume("stopped"))).expect_code(0);
    assert_same_run(&run_folder, &reference, "after Ctrl-C");
    // There is nothing left to go on with.
    run(folder.path(), &borrowed(&resume("stopped")))
        .expect_code(2)
        .expect_words(&["a finished run", "--weights"]);
}

/// A random number from what the clock and the process say: moments differ from run to run.
fn random_below(limit: u128, salt: usize) -> u128 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos();
    let mut state = (now as u64)
        ^ (u64::from(std::process::id()) << 32)
        ^ (salt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    u128::from(state) % limit.max(1)
}

#[test]
fn a_run_that_is_killed_at_random_moments_always_resumes_and_ends_in_the_same_bits() {
    killed_at_random_moments(&[], &[]);
}

#[test]
fn a_killed_run_on_features_from_the_disk_ends_in_the_bits_of_one_in_memory() {
    let views = ["--views", "2", "--cache-features"];
    killed_at_random_moments(
        &[&views[..], &["ram"]].concat(),
        &[&views[..], &["disk"]].concat(),
    );
}

/// Kills runs with the flags `more`, and compares what they end in with a whole run with the flags `whole`.
fn killed_at_random_moments(whole: &[&str], more: &[&str]) {
    let kills: usize = std::env::var("FROSTLINE_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let (reference, whole) = reference(folder.path(), whole);
    let (mut killed, mut runs, mut attempt) = (0, 0, 0);
    let mut name = String::from("killed0");
    loop {
        let run_folder = folder.path().join("runs/train").join(&name);
        let resumes = run_folder.join("weights/last.safetensors").is_file();
        if !resumes && run_folder.exists() {
            // Killed before the first checkpoint: nothing was learnt, and the program says what is missing.
            run(folder.path(), &borrowed(&resume(&name)))
                .expect_code(2)
                .expect_words(&[&name]);
            fs::remove_dir_all(&run_folder).unwrap();
        }
        let args = if resumes {
            resume(&name)
        } else {
            arguments(&name, more)
        };
        let rows_before = rows(&run_folder);
        let child = start(folder.path(), &borrowed(&args));
        attempt += 1;
        let moment = Duration::from_nanos(random_below(whole.as_nanos(), attempt) as u64);
        if killed < kills {
            let mut child = child;
            let deadline = Instant::now() + moment;
            wait_until(&mut child, || Instant::now() >= deadline);
            if child.try_wait().unwrap().is_none() {
                child.kill().unwrap();
                wait(child);
                killed += 1;
                let rows = rows(&run_folder);
                println!(
                    "kill {killed}: {:.3} s after the start (resumed: {resumes}), {rows} epochs done",
                    moment.as_secs_f64()
                );
                assert!(
                    rows >= rows_before.saturating_sub(1),
                    "{rows_before} epochs were done, {rows} are left"
                );
                continue;
            }
            wait(child).expect_code(0);
        } else {
            wait(child).expect_code(0);
        }
        assert_same_run(&run_folder, &reference, "after kill -9");
        runs += 1;
        if killed == kills {
            break;
        }
        name = format!("killed{runs}");
    }
    println!(
        "{killed} kills, {runs} runs finished; an uninterrupted run takes {:.3} s",
        whole.as_secs_f64()
    );
}
