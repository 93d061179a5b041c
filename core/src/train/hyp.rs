//! Hyperparameters and their built-in sets.

mod yaml;

use std::fmt;

use crate::error::{Error, Result};

/// Hyperparameters of training and augmentation; the reference's names and values (`low` is the
/// default). Rates, gains and probabilities have no unit; `degrees` and `shear` are in degrees,
/// `warmup_epochs` in epochs.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hyp {
    /// Learning rate after warm-up.
    pub lr0: f64,
    /// Last learning rate as a fraction of `lr0`.
    pub lrf: f64,
    /// Momentum of SGD, beta1 of Adam and AdamW.
    pub momentum: f64,
    /// Weight decay at a nominal batch of 64.
    pub weight_decay: f64,
    /// Length of the warm-up.
    pub warmup_epochs: f64,
    /// Momentum at the start of the warm-up.
    pub warmup_momentum: f64,
    /// Learning rate of the biases at the start of the warm-up.
    pub warmup_bias_lr: f64,
    /// Gain of the box loss.
    pub r#box: f64,
    /// Gain of the class loss.
    pub cls: f64,
    /// Weight of positive cells in the class loss.
    pub cls_pw: f64,
    /// Gain of the objectness loss.
    pub obj: f64,
    /// Weight of positive cells in the objectness loss.
    pub obj_pw: f64,
    /// `IoU` threshold of the reference's older target assignment; kept for its files, unused.
    pub iou_t: f64,
    /// Largest ratio between a target's and an anchor's side for a match (FACTS 3).
    pub anchor_t: f64,
    /// Anchors per scale to compute instead of the model's own; rounded, see
    /// [`Hyp::anchors_per_scale`]. The evolved sets carry fractions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anchors: Option<f64>,
    /// Gamma of the focal loss; 0 turns it off.
    pub fl_gamma: f64,
    /// Largest change of hue, as a fraction.
    pub hsv_h: f64,
    /// Largest change of saturation, as a fraction.
    pub hsv_s: f64,
    /// Largest change of value, as a fraction.
    pub hsv_v: f64,
    /// Largest rotation to either side.
    pub degrees: f64,
    /// Largest shift to either side as a fraction of the picture.
    pub translate: f64,
    /// Largest change of scale to either side of 1.
    pub scale: f64,
    /// Largest shear to either side.
    pub shear: f64,
    /// Largest perspective coefficient.
    pub perspective: f64,
    /// Probability of flipping upside down.
    pub flipud: f64,
    /// Probability of flipping left to right.
    pub fliplr: f64,
    /// Probability of a mosaic.
    pub mosaic: f64,
    /// Probability of mixing a second mosaic in.
    pub mixup: f64,
    /// Probability of copying a segmented object.
    pub copy_paste: f64,
    /// Label smoothing ε, set by `--label-smoothing`.
    pub label_smoothing: f64,
}

impl Default for Hyp {
    fn default() -> Self {
        Self {
            lr0: 0.01,
            lrf: 0.01,
            momentum: 0.937,
            weight_decay: 0.0005,
            warmup_epochs: 3.0,
            warmup_momentum: 0.8,
            warmup_bias_lr: 0.1,
            r#box: 0.05,
            cls: 0.5,
            cls_pw: 1.0,
            obj: 1.0,
            obj_pw: 1.0,
            iou_t: 0.2,
            anchor_t: 4.0,
            anchors: None,
            fl_gamma: 0.0,
            hsv_h: 0.015,
            hsv_s: 0.7,
            hsv_v: 0.4,
            degrees: 0.0,
            translate: 0.1,
            scale: 0.5,
            shear: 0.0,
            perspective: 0.0,
            flipud: 0.0,
            fliplr: 0.5,
            mosaic: 1.0,
            mixup: 0.0,
            copy_paste: 0.0,
            label_smoothing: 0.0,
        }
    }
}

/// Reads and writes fields by their name in the yaml, in the order of the reference's files.
macro_rules! keys {
    ($($key:literal $field:ident,)*) => {
        impl Hyp {
            /// Every hyperparameter's name in yaml, in file order.
            pub const KEYS: &[&str] = &[$($key),*];

            /// The value of a hyperparameter; `None` for an unknown name and for unset `anchors`.
            pub fn get(&self, key: &str) -> Option<f64> {
                match key {
                    $($key => Value::read(&self.$field),)*
                    _ => None,
                }
            }

            fn put(&mut self, key: &str, value: f64) {
                match key {
                    $($key => self.$field = Value::from_number(value),)*
                    _ => {}
                }
            }
        }
    };
}

/// Both kinds of field seen as a number.
trait Value {
    fn read(&self) -> Option<f64>;
    fn from_number(value: f64) -> Self;
}

impl Value for f64 {
    fn read(&self) -> Option<f64> {
        Some(*self)
    }
    fn from_number(value: f64) -> Self {
        value
    }
}

impl Value for Option<f64> {
    fn read(&self) -> Option<f64> {
        *self
    }
    fn from_number(value: f64) -> Self {
        // The reference's files say 0 for "the model's own".
        (value != 0.0).then_some(value)
    }
}

keys! {
    "lr0" lr0, "lrf" lrf, "momentum" momentum, "weight_decay" weight_decay,
    "warmup_epochs" warmup_epochs, "warmup_momentum" warmup_momentum,
    "warmup_bias_lr" warmup_bias_lr, "box" r#box, "cls" cls, "cls_pw" cls_pw, "obj" obj,
    "obj_pw" obj_pw, "iou_t" iou_t, "anchor_t" anchor_t, "anchors" anchors, "fl_gamma" fl_gamma,
    "hsv_h" hsv_h, "hsv_s" hsv_s, "hsv_v" hsv_v, "degrees" degrees, "translate" translate,
    "scale" scale, "shear" shear, "perspective" perspective, "flipud" flipud, "fliplr" fliplr,
    "mosaic" mosaic, "mixup" mixup, "copy_paste" copy_paste, "label_smoothing" label_smoothing,
}

impl Hyp {
    /// The names that [`Hyp::named`] understands.
    pub const SETS: [&'static str; 6] = ["low", "med", "high", "no-aug", "voc", "objects365"];

    /// A built-in set (FACTS 6) by its short name or by the reference's name for it, with or
    /// without `hyp.`, `.yaml` and a folder: `voc`, `hyp.VOC.yaml`, `data/hyps/hyp.VOC.yaml`.
    pub fn named(name: &str) -> Option<Self> {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let file = file.to_ascii_lowercase();
        let stem = file
            .strip_suffix(".yaml")
            .or(file.strip_suffix(".yml"))
            .unwrap_or(&file);
        match stem.strip_prefix("hyp.").unwrap_or(stem) {
            "low" | "scratch-low" => Some(Self::default()),
            "med" | "scratch-med" => Some(Self::stronger()),
            "high" | "scratch-high" => Some(Self {
                copy_paste: 0.1,
                ..Self::stronger()
            }),
            "no-aug" | "no-augmentation" => Some(Self::without_augmentation()),
            "voc" => Some(Self::voc()),
            "objects365" => Some(Self::objects365()),
            _ => None,
        }
    }

    fn stronger() -> Self {
        Self {
            lrf: 0.1,
            cls: 0.3,
            obj: 0.7,
            scale: 0.9,
            mixup: 0.1,
            ..Self::default()
        }
    }

    fn without_augmentation() -> Self {
        Self {
            hsv_h: 0.0,
            hsv_s: 0.0,
            hsv_v: 0.0,
            translate: 0.0,
            scale: 0.0,
            fliplr: 0.0,
            mosaic: 0.0,
            mixup: 0.0,
            ..Self::stronger()
        }
    }

    fn voc() -> Self {
        Self {
            lr0: 0.00334,
            lrf: 0.15135,
            momentum: 0.74832,
            weight_decay: 0.00025,
            warmup_epochs: 3.3835,
            warmup_momentum: 0.59462,
            warmup_bias_lr: 0.18657,
            r#box: 0.02,
            cls: 0.21638,
            cls_pw: 0.5,
            obj: 0.51728,
            obj_pw: 0.67198,
            anchor_t: 3.3744,
            anchors: Some(3.412),
            hsv_h: 0.01041,
            hsv_s: 0.54703,
            hsv_v: 0.27739,
            translate: 0.04591,
            scale: 0.75544,
            mosaic: 0.85834,
            mixup: 0.04266,
            ..Self::default()
        }
    }

    fn objects365() -> Self {
        Self {
            lr0: 0.00258,
            lrf: 0.17,
            momentum: 0.779,
            weight_decay: 0.00058,
            warmup_epochs: 1.33,
            warmup_momentum: 0.86,
            warmup_bias_lr: 0.0711,
            r#box: 0.0539,
            cls: 0.299,
            cls_pw: 0.825,
            obj: 0.632,
            anchor_t: 3.44,
            anchors: Some(3.2),
            hsv_h: 0.0188,
            hsv_s: 0.704,
            hsv_v: 0.36,
            translate: 0.0902,
            scale: 0.491,
            ..Self::default()
        }
    }

    /// How many anchors per scale to compute, when the set asks for anchors of its own.
    pub fn anchors_per_scale(&self) -> Option<usize> {
        // `set` holds the value within 1..=64, so that the cast is exact.
        self.anchors
            .map(|anchors| anchors.round().max(1.0) as usize)
    }

    /// Sets one hyperparameter by name; `place` names the flag or the file's line in errors.
    ///
    /// # Errors
    /// An unknown name (with the nearest known one) and a value out of range.
    pub fn set(&mut self, key: &str, value: f64, place: impl fmt::Display) -> Result<()> {
        if !Self::KEYS.contains(&key) {
            return Err(unknown_key(key, place));
        }
        let (low, high, expected) = range(key);
        if !(low..=high).contains(&value) {
            return Err(Error::input(
                place,
                format!("{key} = {value}"),
                expected,
                format!(
                    "The default is {}",
                    Self::default()
                        .get(key)
                        .map_or_else(|| "none".to_owned(), |v| v.to_string())
                ),
            ));
        }
        self.put(key, value);
        Ok(())
    }
}

/// Smallest and largest allowed value of a hyperparameter, and how to say so.
fn range(key: &str) -> (f64, f64, &'static str) {
    match key {
        "momentum" | "warmup_momentum" | "label_smoothing" | "scale" => {
            (0.0, 1.0 - f64::EPSILON, "a number from 0 to below 1")
        }
        "lrf" | "hsv_h" | "hsv_s" | "hsv_v" | "translate" | "flipud" | "fliplr" | "mosaic"
        | "mixup" | "copy_paste" => (0.0, 1.0, "a number from 0 to 1"),
        "lr0" => (f64::MIN_POSITIVE, f64::MAX, "a number above 0"),
        "anchor_t" => (1.0 + f64::EPSILON, f64::MAX, "a ratio above 1"),
        "anchors" => (0.0, 64.0, "a number of anchors per scale, 0 to 64"),
        "degrees" => (0.0, 180.0, "degrees from 0 to 180"),
        "shear" => (0.0, 89.0, "degrees from 0 to 89"),
        "perspective" => (0.0, 0.01, "a number from 0 to 0.01"),
        _ => (0.0, f64::MAX, "a number of 0 or more"),
    }
}

fn unknown_key(key: &str, place: impl fmt::Display) -> Error {
    let nearest = Hyp::KEYS
        .iter()
        .map(|known| (edits(key, known), *known))
        .min()
        .filter(|(edits, known)| *edits <= 3 && *edits < known.len());
    Error::input(
        place,
        format!("unknown hyperparameter `{key}`"),
        format!("one of {}", Hyp::KEYS.join(", ")),
        nearest.map_or(String::new(), |(_, known)| {
            format!("Did you mean `{known}`?")
        }),
    )
}

/// Levenshtein distance: how many letters must change to make one word of the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    // Keys are short; a hostile one of a megabyte must not cost a quadratic table.
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
