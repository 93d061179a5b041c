//! Rows of an architecture as a file states them, and their assembly into modules: multiples
//! applied, indices resolved, channels and strides followed through the network (FACTS 1).

use super::architecture::{Module, ModuleKind};
use crate::error::{Error, Result};

/// Most modules an architecture may have; real ones have 25 to 33.
pub(super) const MAX_MODULES: usize = 512;
/// Most bottlenecks in one module after scaling; the largest published one has 12.
const MAX_REPEATS: usize = 128;
/// Most channels after scaling.
const MAX_CHANNELS: usize = 16_384;
/// Largest kernel, stride or scale.
const MAX_KERNEL: usize = 31;
/// Largest total stride.
const MAX_STRIDE: usize = 1024;

/// One row before scaling.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Negative: relative to the row's own index; otherwise absolute.
    pub from: Vec<isize>,
    /// Repeats before the depth multiple.
    pub repeats: usize,
    /// What it computes; channels before the width multiple.
    pub kind: RowKind,
}

/// What a row computes, before scaling.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RowKind {
    Conv {
        c2: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    },
    C3 {
        c2: usize,
        shortcut: bool,
    },
    Sppf {
        c2: usize,
        kernel: usize,
    },
    Upsample {
        scale: usize,
    },
    Concat,
    Detect,
}

/// The 25 rows of FACTS 1 before scaling.
pub(super) fn builtin() -> Vec<Row> {
    let row = |from: &[isize], repeats, kind| Row {
        from: from.to_vec(),
        repeats,
        kind,
    };
    let conv = |c2, kernel, stride| {
        let kind = RowKind::Conv {
            c2,
            kernel,
            stride,
            padding: kernel / 3, // 6 → 2, 3 → 1, 1 → 0
        };
        row(&[-1], 1, kind)
    };
    let c3 = |c2, repeats, shortcut| row(&[-1], repeats, RowKind::C3 { c2, shortcut });
    let upsample = || row(&[-1], 1, RowKind::Upsample { scale: 2 });
    let concat = |other| row(&[-1, other], 1, RowKind::Concat);
    vec![
        conv(64, 6, 2),
        conv(128, 3, 2),
        c3(128, 3, true),
        conv(256, 3, 2),
        c3(256, 6, true),
        conv(512, 3, 2),
        c3(512, 9, true),
        conv(1024, 3, 2),
        c3(1024, 3, true),
        row(
            &[-1],
            1,
            RowKind::Sppf {
                c2: 1024,
                kernel: 5,
            },
        ),
        conv(512, 1, 1),
        upsample(),
        concat(6),
        c3(512, 3, false),
        conv(256, 1, 1),
        upsample(),
        concat(4),
        c3(256, 3, false), // P3
        conv(256, 3, 2),
        concat(14),
        c3(512, 3, false), // P4
        conv(512, 3, 2),
        concat(10),
        c3(1024, 3, false), // P5
        row(&[17, 20, 23], 1, RowKind::Detect),
    ]
}

/// Builds the modules. `place` names a row in errors.
pub(super) fn assemble(
    rows: &[Row],
    depth: f64,
    width: f64,
    place: &dyn Fn(usize) -> String,
) -> Result<Vec<Module>> {
    let mut modules: Vec<Module> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let at = Checker {
            place: place(index),
        };
        let from = sources(row, index, &at)?;
        // The image has 3 channels and stride 1.
        let read = |i: usize| modules.get(i).map_or((3, 1), |m| (m.channels, m.stride));
        let inputs: Vec<(usize, usize)> = if from.is_empty() {
            vec![(3, 1)]
        } else {
            from.iter().map(|&i| read(i)).collect()
        };
        if let Some(detect) = from
            .iter()
            .find(|&&i| matches!(modules[i].kind, ModuleKind::Detect { .. }))
        {
            return Err(at.problem(
                format_args!("an input from module {detect}, which is Detect"),
                "Detect as the last module",
                "Move the Detect row to the end",
            ));
        }
        if !matches!(row.kind, RowKind::Concat | RowKind::Detect) && inputs.len() != 1 {
            return Err(at.problem(
                format_args!("{} inputs", inputs.len()),
                "one input",
                "Only Concat and Detect read several modules",
            ));
        }
        let n = repeats(row, depth, &at)?;
        let (c1, stride_in) = inputs[0];
        let (kind, channels, stride) = match row.kind {
            RowKind::Conv {
                c2,
                kernel,
                stride,
                padding,
            } => {
                let c2 = scaled(c2, width, &at)?;
                at.within("stride", stride, 1, MAX_KERNEL)?;
                at.within("kernel", kernel, 1, MAX_KERNEL)?;
                at.within("padding", padding, 0, MAX_KERNEL)?;
                // out = (in + 2·padding − kernel) / stride + 1 equals in / stride exactly then.
                if !(2 * padding < kernel && kernel <= 2 * padding + stride) {
                    return Err(at.problem(
                        format_args!("kernel {kernel}, stride {stride}, padding {padding}"),
                        "an output of input size / stride",
                        "Take an odd kernel with padding kernel / 2, or kernel 6, stride 2, padding 2",
                    ));
                }
                let kind = ModuleKind::Conv {
                    c1,
                    c2,
                    kernel,
                    stride,
                    padding,
                };
                (kind, c2, stride_in * stride)
            }
            RowKind::C3 { c2, shortcut } => {
                let c2 = scaled(c2, width, &at)?;
                let kind = ModuleKind::C3 {
                    c1,
                    c2,
                    n,
                    shortcut,
                };
                (kind, c2, stride_in)
            }
            RowKind::Sppf { c2, kernel } => {
                let c2 = scaled(c2, width, &at)?;
                at.within("kernel", kernel, 1, MAX_KERNEL)?;
                if kernel % 2 == 0 {
                    return Err(at.problem(
                        format_args!("kernel {kernel}"),
                        "an odd kernel, so that pooling keeps the size",
                        "The published models have 5",
                    ));
                }
                (ModuleKind::Sppf { c1, c2, kernel }, c2, stride_in)
            }
            RowKind::Upsample { scale } => {
                at.within("scale", scale, 1, MAX_KERNEL)?;
                if stride_in % scale != 0 {
                    return Err(at.problem(
                        format_args!("scale {scale} on an input of stride {stride_in}"),
                        "a scale that divides the stride",
                        "",
                    ));
                }
                (ModuleKind::Upsample { scale }, c1, stride_in / scale)
            }
            RowKind::Concat => {
                if let Some((_, other)) = inputs.iter().find(|(_, s)| *s != stride_in) {
                    return Err(at.problem(
                        format_args!("inputs of stride {stride_in} and {other}"),
                        "inputs of one size",
                        "Check the `from` column, and the Upsample and stride-2 rows before it",
                    ));
                }
                let channels = inputs.iter().map(|(c, _)| c).sum();
                at.within("channels", channels, 1, MAX_CHANNELS)?;
                (ModuleKind::Concat, channels, stride_in)
            }
            RowKind::Detect => {
                let kind = ModuleKind::Detect {
                    channels: inputs.iter().map(|(c, _)| *c).collect(),
                };
                let stride = inputs.iter().map(|(_, s)| *s).max().unwrap_or(1);
                (kind, 0, stride)
            }
        };
        at.within("total stride", stride, 1, MAX_STRIDE)?;
        modules.push(Module {
            index,
            from,
            kind,
            channels,
            stride,
        });
    }
    Ok(modules)
}

/// Absolute indices of a row's inputs; empty for the image.
fn sources(row: &Row, index: usize, at: &Checker) -> Result<Vec<usize>> {
    if row.from.is_empty() {
        return Err(at.problem(
            "no input",
            "the modules it reads",
            "Write -1 for the previous one",
        ));
    }
    if index == 0 {
        return match row.from[..] {
            [-1] => Ok(vec![]),
            _ => Err(at.problem(
                format_args!("from {:?}", row.from),
                "from -1, the image",
                "",
            )),
        };
    }
    (row.from.iter())
        .map(|&from| {
            let absolute = if from < 0 {
                from.checked_add(index as isize).unwrap_or(-1)
            } else {
                from
            };
            usize::try_from(absolute)
                .ok()
                .filter(|&i| i < index)
                .ok_or_else(|| {
                    at.problem(
                        format_args!("from {from}"),
                        format_args!("an earlier module: 0 to {}, or -1 to -{index}", index - 1),
                        "",
                    )
                })
        })
        .collect()
}

/// Repeats after the depth multiple: max(round(n·depth), 1), rounding halves to even.
fn repeats(row: &Row, depth: f64, at: &Checker) -> Result<usize> {
    at.within("repeats", row.repeats, 1, MAX_REPEATS)?;
    let n = if row.repeats > 1 {
        // Bounded by MAX_REPEATS times the largest multiple, so the cast is exact.
        ((row.repeats as f64 * depth).round_ties_even() as usize).max(1)
    } else {
        1
    };
    at.within("repeats after scaling", n, 1, MAX_REPEATS)?;
    if n > 1 && !matches!(row.kind, RowKind::C3 { .. }) {
        return Err(at.problem(
            format_args!("{n} repeats"),
            "1: only C3 repeats",
            "Write one row for each",
        ));
    }
    Ok(n)
}

/// Channels after the width multiple: ceil(c·width / 8)·8.
fn scaled(channels: usize, width: f64, at: &Checker) -> Result<usize> {
    at.within("channels", channels, 1, MAX_CHANNELS)?;
    let scaled = (channels as f64 * width / 8.0).ceil() as usize * 8;
    at.within("channels after scaling", scaled, 1, MAX_CHANNELS)?;
    Ok(scaled)
}

/// Where in the file we are, for errors.
struct Checker {
    place: String,
}

impl Checker {
    fn problem(
        &self,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        next: impl std::fmt::Display,
    ) -> Error {
        Error::input(&self.place, found, expected, next)
    }

    fn within(&self, what: &str, value: usize, low: usize, high: usize) -> Result<()> {
        if (low..=high).contains(&value) {
            Ok(())
        } else {
            Err(self.problem(
                format_args!("{what} {value}"),
                format_args!("{low} to {high}"),
                "",
            ))
        }
    }
}
