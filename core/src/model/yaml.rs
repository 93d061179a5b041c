//! Architecture files: the reference's yaml schema, and the same dictionary as it stands inside a
//! checkpoint (FACTS 1, 7).

use serde_json::{Map, Value, json};

use super::architecture::{Architecture, MAX_CLASSES, ModuleKind};
use super::row_reader::{RowReader, show};
use super::rows::{self, MAX_MODULES, RowKind};
use crate::error::{Error, Result};

/// Most parameters an architecture may have; the largest published one has 87 million.
const MAX_PARAMETERS: u64 = 1 << 31;
/// Largest depth or width multiple.
const MAX_MULTIPLE: f64 = 16.0;
/// Most anchors per scale.
const MAX_ANCHORS: usize = 64;

impl Architecture {
    /// Reads the reference's architecture yaml; `place` names it in errors. `nc` replaces the file's
    /// number of classes.
    ///
    /// # Errors
    /// Names the row and field that cannot be read, as [`Architecture::from_value`] does.
    pub fn from_yaml(text: &str, place: &str, nc: Option<usize>) -> Result<Self> {
        let value: Value = serde_saphyr::from_str(text).map_err(|error| {
            Error::input(
                place,
                format_args!("text that is not yaml ({error})"),
                "an architecture yaml with nc, depth_multiple, width_multiple, anchors, backbone and head",
                "",
            )
        })?;
        Self::from_value(&value, place, nc)
    }

    /// Reads the parsed dictionary `{nc, depth_multiple, width_multiple, anchors, backbone, head}`,
    /// from a yaml file or from a checkpoint. Each row is `[from, repeats, kind, args]`, with the
    /// kinds Conv, C3, SPPF, nn.Upsample, Concat and Detect. `nc` replaces the dictionary's.
    ///
    /// Anchors whose order by area is opposite to the order of Detect's strides are turned round,
    /// as the reference does.
    ///
    /// # Errors
    /// A missing or unreadable field, an unsupported kind or argument, an input that is no earlier
    /// module, sizes or channels that do not fit, no Detect at the end; each with its row.
    pub fn from_value(value: &Value, place: &str, nc: Option<usize>) -> Result<Self> {
        let dict = Dict {
            place,
            map: value.as_object().ok_or_else(|| {
                Error::input(
                    place,
                    show(value),
                    "a dictionary with nc, depth_multiple, width_multiple, anchors, backbone and head",
                    "",
                )
            })?,
        };
        if let Some(channels) = dict.map.get("ch").filter(|v| v.as_u64() != Some(3)) {
            return Err(Error::input(
                dict.at("ch"),
                show(channels),
                "3 input channels (RGB)",
                "",
            ));
        }
        if let Some(activation) = dict.map.get("activation").filter(|v| !v.is_null())
            && !activation.as_str().is_some_and(|a| a.contains("SiLU"))
        {
            return Err(Error::input(
                dict.at("activation"),
                show(activation),
                "nn.SiLU(), the activation of YOLOv5 v6.0",
                "",
            ));
        }
        let depth = dict.multiple("depth_multiple")?;
        let width = dict.multiple("width_multiple")?;
        let backbone = dict.rows("backbone")?;
        let head = dict.rows("head")?;
        let total = backbone.len() + head.len();
        if total > MAX_MODULES {
            return Err(Error::input(
                place,
                format_args!("{total} rows"),
                format_args!("at most {MAX_MODULES}"),
                "",
            ));
        }
        let place_of = |index: usize| {
            let (section, row) = if index < backbone.len() {
                ("backbone", index)
            } else {
                ("head", index - backbone.len())
            };
            format!("{place}: {section} row {} (module {index})", row + 1)
        };
        let mut rows = Vec::with_capacity(total);
        let mut detect = None;
        for (index, row) in backbone.iter().chain(head).enumerate() {
            let row = RowReader {
                place: place_of(index),
            }
            .read(row, &mut detect)?;
            rows.push(row);
        }
        let Some(detect) = detect.filter(|_| {
            rows.last().is_some_and(|row| row.kind == RowKind::Detect)
                && rows
                    .iter()
                    .filter(|row| row.kind == RowKind::Detect)
                    .count()
                    == 1
        }) else {
            return Err(Error::input(
                dict.at("head"),
                "no Detect row at its end",
                "exactly one, as the last row: [[17, 20, 23], 1, Detect, [nc, anchors]]",
                "",
            ));
        };
        let modules = rows::assemble(&rows, depth, width, &place_of)?;
        let nc = match nc.or(detect.nc) {
            Some(nc) => nc,
            None => dict.nc()?,
        };
        if !(1..=MAX_CLASSES).contains(&nc) {
            return Err(Error::input(
                dict.at("nc"),
                nc,
                format_args!("1 to {MAX_CLASSES} classes"),
                "",
            ));
        }
        let mut architecture = Self {
            modules,
            anchors: vec![],
            nc,
            backbone: backbone.len(),
        };
        let anchors_value = match &detect.anchors {
            Some(value) => value,
            None => dict.get("anchors")?,
        };
        let scales = architecture.strides().len();
        architecture.anchors = anchors(anchors_value, scales, &dict.at("anchors"))?;
        align_anchors(&mut architecture);
        let parameters = architecture.parameter_count();
        if parameters > MAX_PARAMETERS {
            return Err(Error::input(
                place,
                format_args!("{parameters} parameters"),
                format_args!("at most {MAX_PARAMETERS}"),
                "Check depth_multiple and width_multiple",
            ));
        }
        Ok(architecture)
    }

    /// The dictionary that [`Architecture::from_value`] reads back to an equal architecture, with
    /// all multiples applied (both are 1). Other readers of the schema understand it too.
    pub fn to_value(&self) -> Value {
        let rows: Vec<Value> = self.modules.iter().map(to_row).collect();
        let (backbone, head) = rows.split_at(self.backbone.min(rows.len()));
        let anchors: Vec<Vec<f32>> = (self.anchors.iter())
            .map(|scale| scale.iter().flatten().copied().collect())
            .collect();
        json!({
            "nc": self.nc,
            "depth_multiple": 1.0,
            "width_multiple": 1.0,
            "anchors": anchors,
            "backbone": backbone,
            "head": head,
        })
    }
}

/// A module as a row.
fn to_row(module: &super::architecture::Module) -> Value {
    let relative = |from: usize| {
        if from + 1 == module.index {
            json!(-1)
        } else {
            json!(from)
        }
    };
    let from = match module.from[..] {
        [] => json!(-1),
        [one] if module.kind != ModuleKind::Concat && module.kind.name() != "Detect" => {
            relative(one)
        }
        ref several => several.iter().map(|&from| relative(from)).collect(),
    };
    let (repeats, kind, args) = match module.kind {
        ModuleKind::Conv {
            c2,
            kernel,
            stride,
            padding,
            ..
        } => (1, "Conv", json!([c2, kernel, stride, padding])),
        ModuleKind::C3 {
            c2, n, shortcut, ..
        } => (n, "C3", json!([c2, shortcut])),
        ModuleKind::Sppf { c2, kernel, .. } => (1, "SPPF", json!([c2, kernel])),
        ModuleKind::Upsample { scale } => (1, "nn.Upsample", json!([null, scale, "nearest"])),
        ModuleKind::Concat => (1, "Concat", json!([1])),
        ModuleKind::Detect { .. } => (1, "Detect", json!(["nc", "anchors"])),
    };
    json!([from, repeats, kind, args])
}

/// The dictionary and its name in errors.
struct Dict<'a> {
    place: &'a str,
    map: &'a Map<String, Value>,
}

impl<'a> Dict<'a> {
    fn at(&self, field: &str) -> String {
        format!("{}: {field}", self.place)
    }

    fn get(&self, field: &str) -> Result<&'a Value> {
        self.map.get(field).ok_or_else(|| {
            Error::input(
                self.place,
                format_args!("no field {field:?}"),
                "nc, depth_multiple, width_multiple, anchors, backbone and head",
                "",
            )
        })
    }

    fn multiple(&self, field: &str) -> Result<f64> {
        let value = self.get(field)?;
        value
            .as_f64()
            .filter(|x| *x > 0.0 && *x <= MAX_MULTIPLE)
            .ok_or_else(|| {
                Error::input(
                    self.at(field),
                    show(value),
                    format_args!("a number above 0, at most {MAX_MULTIPLE}"),
                    "",
                )
            })
    }

    fn nc(&self) -> Result<usize> {
        let value = self.get("nc")?;
        value
            .as_u64()
            .and_then(|nc| usize::try_from(nc).ok())
            .ok_or_else(|| Error::input(self.at("nc"), show(value), "the number of classes", ""))
    }

    fn rows(&self, field: &str) -> Result<&'a Vec<Value>> {
        let value = self.get(field)?;
        value
            .as_array()
            .filter(|rows| !rows.is_empty())
            .ok_or_else(|| {
                Error::input(
                    self.at(field),
                    show(value),
                    "a list of rows [from, repeats, kind, args]",
                    "",
                )
            })
    }
}

/// The anchors in pixels: per scale a flat list of widths and heights.
fn anchors(value: &Value, scales: usize, place: &str) -> Result<Vec<Vec<[f32; 2]>>> {
    let problem = |found: String, expected: &str| {
        Error::input(
            place,
            found,
            expected,
            "The published models have [10,13, 16,30, 33,23], [30,61, 62,45, 59,119] and [116,90, 156,198, 373,326]",
        )
    };
    if value.is_number() {
        return Err(problem(
            format!("{value}, a count of anchors to be learnt from the data"),
            "the anchors themselves",
        ));
    }
    let list = (value.as_array())
        .filter(|list| list.len() == scales)
        .ok_or_else(|| {
            problem(
                show(value),
                &format!("{scales} lists of anchors, one for each input of Detect"),
            )
        })?;
    let per_scale = (list.first().and_then(Value::as_array)).map_or(0, Vec::len);
    list.iter()
        .map(|scale| {
            let numbers: Option<Vec<f32>> = (scale.as_array())
                .filter(|list| list.len() == per_scale && per_scale <= 2 * MAX_ANCHORS)
                .filter(|list| !list.is_empty() && list.len() % 2 == 0)
                .and_then(|list| {
                    list.iter()
                        .map(|x| x.as_f64().map(|x| x as f32))
                        .collect::<Option<Vec<f32>>>()
                })
                .filter(|list| list.iter().all(|x| x.is_finite() && *x > 0.0));
            numbers
                .map(|list| list.chunks_exact(2).map(|wh| [wh[0], wh[1]]).collect())
                .ok_or_else(|| {
                    problem(
                        show(scale),
                        "w,h, w,h, … in pixels, above 0 and equally many for each scale",
                    )
                })
        })
        .collect()
}

/// Turns the anchors round when their areas run against the strides.
fn align_anchors(architecture: &mut Architecture) {
    let strides = architecture.strides();
    let area = |scale: &Vec<[f32; 2]>| scale.iter().map(|[w, h]| w * h).sum::<f32>();
    let (Some(first), Some(last)) = (architecture.anchors.first(), architecture.anchors.last())
    else {
        return;
    };
    let grows = area(last) - area(first);
    let strides_grow = match (strides.first(), strides.last()) {
        (Some(&first), Some(&last)) => last as f32 - first as f32,
        _ => return,
    };
    if grows * strides_grow < 0.0 {
        architecture.anchors.reverse();
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
