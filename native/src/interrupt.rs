//! Ctrl-C: the first press ends after the step under way with a usable checkpoint, the second ends
//! at once.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context;

/// The exit code of an interrupted run, as shells use it for Ctrl-C.
pub const EXIT_CODE: u8 = 130;

static INSTALLED: AtomicBool = AtomicBool::new(false);
static PRESSES: AtomicUsize = AtomicUsize::new(0);

/// Work ended early because it was asked to; `main` exits with [`EXIT_CODE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Listens for Ctrl-C and for the request to end that systems send; once is enough.
///
/// # Errors
/// The handler cannot be installed, or already was.
pub fn install() -> anyhow::Result<()> {
    if INSTALLED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    ctrlc::set_handler(|| match press(&PRESSES) {
        Press::First => {
            eprintln!("\nfinishing this step, saving… (Ctrl-C again ends at once, without saving)")
        }
        Press::Again => std::process::exit(i32::from(EXIT_CODE)),
    })
    .context("Ctrl-C cannot be listened for")
}

/// Whether an end was asked for; looked at between steps.
pub fn requested() -> bool {
    PRESSES.load(Ordering::Relaxed) > 0
}

/// Ends work that has nothing to save.
///
/// # Errors
/// [`Interrupted`] once an end was asked for.
pub fn check() -> Result<(), Interrupted> {
    if requested() {
        Err(Interrupted)
    } else {
        Ok(())
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Press {
    First,
    Again,
}

fn press(presses: &AtomicUsize) -> Press {
    match presses.fetch_add(1, Ordering::Relaxed) {
        0 => Press::First,
        _ => Press::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_press_is_polite() {
        let presses = AtomicUsize::new(0);
        assert_eq!(press(&presses), Press::First);
        assert_eq!(press(&presses), Press::Again);
        assert_eq!(press(&presses), Press::Again);
    }

    #[test]
    fn nothing_is_requested_before_the_first_press() {
        assert!(!requested());
        assert_eq!(check(), Ok(()));
    }
}
