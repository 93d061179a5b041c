//! Synthetic detection data that teaches transfer: emoji on textured backgrounds.
//!
//! Two worlds come from one rendering pipeline. The *source* world has 24 classes and as many
//! pictures as one asks for; a network learns to see on it. The *target* world has four other
//! classes and few pictures; it shows what frozen layers carry over.
//!
//! ```text
//! seed, split, index ─▶ scene (objects, poses) ─▶ layers (cut-outs) ─▶ camera (light, blur, noise) ─▶ picture
//!                                                    └─▶ visible alpha ─▶ exact boxes
//! ```
//!
//! The same options give the same pixels and labels on every platform: randomness is integer
//! mixing, and the arithmetic is limited to operations that IEEE 754 fixes to the last bit.
//! A box is the tight box of an object's visible pixels; an object of which less than
//! [`LEAST_VISIBLE`] shows is taken out of the picture, so that nothing in it is unlabelled.
//!
//! The artwork is embedded and freely licensed; see `core/assets/sprites/ATTRIBUTION.md`.

mod background;
mod camera;
mod colour;
mod layer;
mod pose;
mod random;
mod scene;
mod sprites;
mod write;

pub use write::write;

use std::fmt;
use std::str::FromStr;

use image::RgbImage;

use self::layer::{Layer, Visible};
use super::Label;
use crate::{Error, Result};

/// Objects of which less than this share shows are taken out of the picture.
pub const LEAST_VISIBLE: f32 = 0.35;

/// Smallest side of a label's box, as a share of the picture's side.
const LEAST_SIDE: f32 = 0.03;

/// Which classes the pictures show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum World {
    /// 24 classes of animals, vehicles, fruit and things: what a network is trained on first.
    Source,
    /// 4 other classes: what it is fine-tuned for.
    Target,
}

impl World {
    /// `source` or `target`; also the stem of the data yaml and of the picture files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    /// Class names in index order.
    #[must_use]
    pub fn class_names(self) -> Vec<&'static str> {
        sprites::names(self)
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for World {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "source" => Ok(Self::Source),
            "target" => Ok(Self::Target),
            other => Err(Error::input(
                "--world",
                format!("`{other}`"),
                "source or target",
                "source has 24 classes for training from scratch, target 4 others for fine-tuning",
            )),
        }
    }
}

/// Which part of the data set a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Pictures to learn from.
    Train,
    /// Pictures to validate on.
    Val,
}

impl Split {
    /// The folder's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
        }
    }
}

/// What to draw. [`SynthOptions::new`] gives the defaults of a world.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthOptions {
    /// Which classes.
    pub world: World,
    /// Pictures to learn from.
    pub train: usize,
    /// Pictures to validate on.
    pub val: usize,
    /// Side of the square pictures, pixels, `32..=2048`.
    pub imgsz: usize,
    /// Pictures of different seeds have nothing in common.
    pub seed: u64,
    /// Fewest and most objects placed in a picture, `1..=20`. Hidden ones are taken out again.
    pub objects: [usize; 2],
    /// Smallest and largest longest side of an object, as fractions of the picture's side,
    /// `0.05..=0.9`.
    pub size: [f32; 2],
}

impl SynthOptions {
    /// The world's defaults. Those of the target world are the ones of the shipped `data/target`.
    #[must_use]
    pub fn new(world: World) -> Self {
        match world {
            World::Source => Self {
                world,
                train: 3000,
                val: 300,
                imgsz: 160,
                seed: 0,
                objects: [2, 6],
                size: [0.18, 0.6],
            },
            World::Target => Self {
                world,
                train: 64,
                val: 32,
                imgsz: 320,
                seed: 0,
                objects: [3, 6],
                size: [0.16, 0.5],
            },
        }
    }

    /// Pictures of a split.
    #[must_use]
    pub fn count(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::Val => self.val,
        }
    }

    /// Checks the ranges that the fields name.
    ///
    /// # Errors
    /// Names the option that is out of its range.
    pub fn validate(&self) -> Result<()> {
        if !(32..=2048).contains(&self.imgsz) {
            return Err(Error::input(
                "--imgsz",
                self.imgsz,
                "a side of 32 to 2048 px",
                "160 trains fast, 320 is the target world's size",
            ));
        }
        let [fewest, most] = self.objects;
        if fewest < 1 || most < fewest || most > 20 {
            return Err(Error::input(
                "objects per picture",
                format!("{fewest} to {most}"),
                "a range within 1 to 20",
                "",
            ));
        }
        let [smallest, largest] = self.size;
        // Written so that NaN fails too.
        if !(smallest >= 0.05 && smallest <= largest && largest <= 0.9) {
            return Err(Error::input(
                "object size",
                format!("{smallest} to {largest}"),
                "a range within 0.05 to 0.9 of the picture's side",
                "",
            ));
        }
        Ok(())
    }
}

/// A rendered picture and its boxes.
#[derive(Debug, Clone)]
pub struct Picture {
    /// `imgsz` × `imgsz` pixels.
    pub image: RgbImage,
    /// One per object, from the lowest to the topmost; never empty.
    pub labels: Vec<Label>,
    /// JPEG quality to save it with, part of the picture's variety.
    pub jpeg_quality: u8,
}

/// Renders one picture: a pure function of the options (but for `train` and `val`, which may be
/// exceeded), the split and the index.
///
/// # Errors
/// An option is out of its range.
pub fn render(options: &SynthOptions, split: Split, index: usize) -> Result<Picture> {
    options.validate()?;
    Ok(compose(options, split, index).0)
}

/// The picture, and what its labels were measured on.
fn compose(options: &SynthOptions, split: Split, index: usize) -> (Picture, Vec<Layer>) {
    let side = options.imgsz;
    let mut random = scene::stream(options, split, index);
    let mut objects = scene::arrange(&mut random.branch(), options);
    let mut layers: Vec<Layer> = objects
        .iter()
        .map(|object| Layer::render(object, side))
        .collect();
    let visible = take_out_hidden(&mut objects, &mut layers, side);

    let mut pixels = background::paint(&mut random.branch(), side);
    for (object, layer) in objects.iter().zip(&layers) {
        layer.cast_shadow(object, &mut pixels, side);
        layer.cover(&mut pixels, side);
    }
    let image = camera::expose(&mut random.branch(), pixels, side);
    let labels = objects
        .iter()
        .zip(visible)
        .map(|(object, bounds)| label(object.class, bounds, side))
        .collect();
    let picture = Picture {
        image,
        labels,
        jpeg_quality: 80 + random.below(13) as u8,
    };
    (picture, layers)
}

/// Removes the least visible object until all that remain show enough of themselves; taking one
/// away uncovers others. Returns the boxes of those that remain.
fn take_out_hidden(
    objects: &mut Vec<scene::Object>,
    layers: &mut Vec<Layer>,
    side: usize,
) -> Vec<[usize; 4]> {
    let least_px = (LEAST_SIDE * side as f32).max(2.0) as usize;
    let shown = |seen: &Visible| {
        let [x0, y0, x1, y1] = seen.bounds?;
        let large = (x1 - x0).min(y1 - y0) >= least_px;
        (large && seen.share >= LEAST_VISIBLE).then_some([x0, y0, x1, y1])
    };
    loop {
        let seen: Vec<Visible> = (0..layers.len())
            .map(|i| layers[i].visible(&layers[i + 1..], side))
            .collect();
        let worst = (0..seen.len())
            .filter(|i| shown(&seen[*i]).is_none())
            .min_by(|a, b| seen[*a].share.total_cmp(&seen[*b].share));
        let Some(worst) = worst else {
            return seen.iter().filter_map(shown).collect();
        };
        objects.remove(worst);
        layers.remove(worst);
    }
}

fn label(class: usize, [x0, y0, x1, y1]: [usize; 4], side: usize) -> Label {
    let side = side as f32;
    let (width, height) = ((x1 - x0) as f32, (y1 - y0) as f32);
    Label {
        class,
        cxcywh: [
            (x0 + x1) as f32 * 0.5 / side,
            (y0 + y1) as f32 * 0.5 / side,
            width / side,
            height / side,
        ],
    }
}

#[cfg(test)]
mod tests;
