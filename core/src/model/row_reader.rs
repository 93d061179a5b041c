//! One row of an architecture file: `[from, repeats, kind, args]`.

use serde_json::Value;

use super::rows::{MAX_MODULES, Row, RowKind};
use crate::error::{Error, Result};

/// What a Detect row states itself instead of by the symbols `nc` and `anchors`.
pub(super) struct DetectArgs {
    pub nc: Option<usize>,
    pub anchors: Option<Value>,
}

/// Reads one row.
pub(super) struct RowReader {
    pub place: String,
}

impl RowReader {
    fn problem(
        &self,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        next: impl std::fmt::Display,
    ) -> Error {
        Error::input(&self.place, found, expected, next)
    }

    pub fn read(&self, row: &Value, detect: &mut Option<DetectArgs>) -> Result<Row> {
        let Some([from, repeats, kind, args]) = row.as_array().map(Vec::as_slice) else {
            return Err(self.problem(show(row), "[from, repeats, kind, args]", ""));
        };
        let Some(args) = args.as_array() else {
            return Err(self.problem(
                format_args!("arguments {}", show(args)),
                "a list of arguments",
                "",
            ));
        };
        let kind = match kind.as_str() {
            Some("Conv") => self.conv(args)?,
            Some("C3") => self.c3(args)?,
            Some("SPPF") => {
                self.at_most(args, 2)?;
                RowKind::Sppf {
                    c2: self.integer(args, 0, "channels", None)?,
                    kernel: self.integer(args, 1, "kernel", Some(5))?,
                }
            }
            Some("nn.Upsample" | "Upsample") => self.upsample(args)?,
            Some("Concat") => {
                self.at_most(args, 1)?;
                if self.integer(args, 0, "dimension", Some(1))? != 1 {
                    return Err(self.problem(show(&args[0]), "dimension 1, the channels", ""));
                }
                RowKind::Concat
            }
            Some("Detect") => {
                *detect = Some(self.detect(args)?);
                RowKind::Detect
            }
            _ => {
                return Err(self.problem(
                    format_args!("kind {}", show(kind)),
                    "Conv, C3, SPPF, nn.Upsample, Concat or Detect",
                    "Only architectures of YOLOv5 v6.0's blocks are supported",
                ));
            }
        };
        let repeats_count = repeats
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| {
                self.problem(
                    format_args!("repeats {}", show(repeats)),
                    "a number of repeats",
                    "",
                )
            })?;
        Ok(Row {
            from: self.from(from)?,
            repeats: repeats_count,
            kind,
        })
    }

    fn from(&self, from: &Value) -> Result<Vec<isize>> {
        let one = |value: &Value| {
            value
                .as_i64()
                .and_then(|i| isize::try_from(i).ok())
                .ok_or_else(|| {
                    self.problem(
                        format_args!("from {}", show(value)),
                        "a module's index, or a list of them",
                        "",
                    )
                })
        };
        match from {
            Value::Array(list) if list.len() <= MAX_MODULES => list.iter().map(one).collect(),
            single => Ok(vec![one(single)?]),
        }
    }

    fn conv(&self, args: &[Value]) -> Result<RowKind> {
        self.at_most(args, 6)?;
        let kernel = self.integer(args, 1, "kernel", Some(1))?;
        let padding = match args.get(3) {
            Some(value) if !is_none(value) => self.integer(args, 3, "padding", None)?,
            _ => kernel / 2,
        };
        if self.integer(args, 4, "groups", Some(1))? != 1 {
            return Err(self.problem(
                format_args!("groups {}", show(&args[4])),
                "1: grouped convolutions are not supported",
                "",
            ));
        }
        if !self.boolean(args, 5, "activation", true)? {
            return Err(self.problem("no activation", "SiLU after every Conv", ""));
        }
        Ok(RowKind::Conv {
            c2: self.integer(args, 0, "channels", None)?,
            kernel,
            stride: self.integer(args, 2, "stride", Some(1))?,
            padding,
        })
    }

    fn c3(&self, args: &[Value]) -> Result<RowKind> {
        self.at_most(args, 4)?;
        if self.integer(args, 2, "groups", Some(1))? != 1 {
            return Err(self.problem(
                format_args!("groups {}", show(&args[2])),
                "1: grouped convolutions are not supported",
                "",
            ));
        }
        if let Some(expansion) = args.get(3).filter(|e| e.as_f64() != Some(0.5)) {
            return Err(self.problem(
                format_args!("expansion {}", show(expansion)),
                "0.5, a hidden width of half the channels",
                "",
            ));
        }
        Ok(RowKind::C3 {
            c2: self.integer(args, 0, "channels", None)?,
            shortcut: self.boolean(args, 1, "shortcut", true)?,
        })
    }

    /// `[size, scale, mode]`, where the size must be left open.
    fn upsample(&self, args: &[Value]) -> Result<RowKind> {
        self.at_most(args, 3)?;
        if let Some(size) = args.first().filter(|v| !is_none(v)) {
            return Err(self.problem(
                format_args!("a fixed size {}", show(size)),
                "[None, 2, nearest]",
                "",
            ));
        }
        if let Some(mode) = args.get(2).filter(|v| text(v) != Some("nearest")) {
            return Err(self.problem(
                format_args!("mode {}", show(mode)),
                "nearest",
                "Other kinds of upsampling are not supported",
            ));
        }
        Ok(RowKind::Upsample {
            scale: self.integer(args, 1, "scale", None)?,
        })
    }

    fn detect(&self, args: &[Value]) -> Result<DetectArgs> {
        self.at_most(args, 2)?;
        let nc = match args.first() {
            Some(value) if text(value) != Some("nc") => {
                Some(self.integer(args, 0, "classes", None)?)
            }
            _ => None,
        };
        let anchors = (args.get(1))
            .filter(|value| text(value) != Some("anchors"))
            .cloned();
        Ok(DetectArgs { nc, anchors })
    }

    fn at_most(&self, args: &[Value], count: usize) -> Result<()> {
        if args.len() > count {
            return Err(self.problem(
                format_args!("{} arguments", args.len()),
                format_args!("at most {count}"),
                "",
            ));
        }
        Ok(())
    }

    fn integer(
        &self,
        args: &[Value],
        index: usize,
        name: &str,
        default: Option<usize>,
    ) -> Result<usize> {
        let value = match (args.get(index), default) {
            (Some(value), _) => value,
            (None, Some(default)) => return Ok(default),
            (None, None) => {
                return Err(self.problem(
                    format_args!("no argument {}", index + 1),
                    format_args!("{name} there"),
                    "",
                ));
            }
        };
        value
            .as_u64()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| {
                self.problem(format_args!("{name} {}", show(value)), "a whole number", "")
            })
    }

    fn boolean(&self, args: &[Value], index: usize, name: &str, default: bool) -> Result<bool> {
        match args.get(index) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(value) => match text(value) {
                Some("True" | "true") => Ok(true),
                Some("False" | "false") => Ok(false),
                _ => Err(self.problem(format_args!("{name} {}", show(value)), "True or False", "")),
            },
        }
    }
}

/// A string without the quotes that a yaml string may keep inside a checkpoint.
fn text(value: &Value) -> Option<&str> {
    value.as_str().map(|s| s.trim_matches('\''))
}

/// `null`, `None` or `~`.
fn is_none(value: &Value) -> bool {
    value.is_null() || matches!(text(value), Some("None" | "null" | "~"))
}

/// A value for an error message, cut to a readable length.
pub(super) fn show(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}…")
}
