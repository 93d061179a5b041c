//! One error type for the whole library: it names the place, what was found, what was expected and
//! what to do next.

use std::fmt;
use std::path::{Path, PathBuf};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's own error.
        source: std::io::Error,
    },
    /// An input (file, flag, field) does not say what it should.
    #[error("{0}")]
    Input(Box<Problem>),
}

/// What is wrong with an input, in the words a person needs to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File and line, flag and column, or field.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// The next step; may be empty.
    pub next: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}, expected {}",
            self.place, self.found, self.expected
        )?;
        if !self.next.is_empty() {
            write!(f, ". {}", self.next)?;
        }
        Ok(())
    }
}

impl Error {
    /// An input error. `place` is a file with its line, a flag or a field.
    pub fn input(
        place: impl fmt::Display,
        found: impl fmt::Display,
        expected: impl fmt::Display,
        next: impl fmt::Display,
    ) -> Self {
        Self::Input(Box::new(Problem {
            place: place.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
            next: next.to_string(),
        }))
    }

    /// Wraps a system error with the path it concerns; for `map_err`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }
}
