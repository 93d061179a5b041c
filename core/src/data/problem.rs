//! What is wrong with a data set, one finding at a time.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Error;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing is lost.
    Info,
    /// Likely a mistake; training goes on with everything.
    Warning,
    /// Something is left out of training: a row, a picture, a set.
    Error,
}

/// The kinds of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A set of the data yaml cannot be listed, or has nothing in it.
    EmptySplit,
    /// A list names a picture that is not there.
    MissingPicture,
    /// A picture that cannot be decoded or is too small.
    UnreadablePicture,
    /// A label file that cannot be read at all.
    UnreadableLabels,
    /// A label row that does not say what it should; the row is skipped.
    BadRow,
    /// A label row whose class the data yaml has no name for; the row is skipped.
    UnknownClass,
    /// A label row that stands twice in its file; the second is dropped.
    DuplicateRow,
    /// The same picture (byte for byte) twice in one set.
    DuplicatePicture,
    /// The same picture (byte for byte) in two sets, so that validation flatters.
    Overlap,
    /// A label file whose picture is not there.
    LabelWithoutPicture,
    /// A picture without a label file: it counts as background.
    PictureWithoutLabel,
    /// A class without a single box.
    EmptyClass,
    /// Two classes with the same name.
    DuplicateName,
    /// A box under two network pixels at 640.
    TinyBox,
    /// A box that reaches beyond the picture.
    BeyondEdge,
}

impl ProblemKind {
    /// How much this kind of finding matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::EmptySplit
            | Self::MissingPicture
            | Self::UnreadablePicture
            | Self::UnreadableLabels
            | Self::BadRow
            | Self::UnknownClass => Severity::Error,
            Self::Overlap
            | Self::LabelWithoutPicture
            | Self::EmptyClass
            | Self::DuplicateName
            | Self::DuplicateRow
            | Self::DuplicatePicture
            | Self::TinyBox => Severity::Warning,
            Self::PictureWithoutLabel | Self::BeyondEdge => Severity::Info,
        }
    }

    /// The kind in words, as a heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::EmptySplit => "sets without pictures",
            Self::MissingPicture => "missing pictures",
            Self::UnreadablePicture => "unreadable pictures",
            Self::UnreadableLabels => "unreadable label files",
            Self::BadRow => "bad label rows",
            Self::UnknownClass => "label rows of an unknown class",
            Self::DuplicateRow => "duplicate label rows",
            Self::DuplicatePicture => "the same picture twice in a set",
            Self::Overlap => "the same picture in two sets",
            Self::LabelWithoutPicture => "label files without a picture",
            Self::PictureWithoutLabel => "pictures without a label file (backgrounds)",
            Self::EmptyClass => "classes without a box",
            Self::DuplicateName => "classes of the same name",
            Self::TinyBox => "boxes under 2 px at 640",
            Self::BeyondEdge => "boxes that reach beyond the picture",
        }
    }
}

/// One finding: the file, the line where there is one, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The file that needs mending.
    pub path: PathBuf,
    /// Its line, counted from 1.
    pub line: Option<usize>,
    /// What kind of finding it is.
    pub kind: ProblemKind,
    /// How much it matters.
    pub severity: Severity,
    /// What was found and what was expected.
    pub reason: String,
}

impl Problem {
    /// A finding about `path`.
    pub fn new(
        path: impl AsRef<Path>,
        line: Option<usize>,
        kind: ProblemKind,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            path: path.as_ref().to_path_buf(),
            line,
            kind,
            severity: kind.severity(),
            reason: reason.into(),
        }
    }

    /// A finding from the error that reading `path` gave.
    pub(crate) fn from_error(path: &Path, kind: ProblemKind, error: &Error) -> Self {
        let reason = match error {
            Error::Io { source, .. } => source.to_string(),
            // Without its place, which is `path`.
            Error::Input(e) if e.next.is_empty() => {
                format!("found {}, expected {}", e.found, e.expected)
            }
            Error::Input(e) => format!("found {}, expected {}. {}", e.found, e.expected, e.next),
        };
        Self::new(path, None, kind, reason)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}
