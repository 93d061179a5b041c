//! A synthetic world on disk in the YOLO layout.

use std::fs;
use std::ops::Range;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
#[cfg(not(target_arch = "wasm32"))]
use rayon::iter::{IntoParallelIterator, ParallelIterator};

use super::{Split, SynthOptions, render};
use crate::data::Label;
use crate::{Error, Result};

/// Pictures between two reports of progress.
const CHUNK: usize = 32;

/// Writes the whole world into the new or empty folder `dir`:
/// `images/{train,val}/*.jpg`, `labels/{train,val}/*.txt`, `README.md` and, last of all,
/// `<world>.yaml`, so that a folder with a yaml is complete. Uses all cores.
///
/// `progress` is told how many pictures are done and how many there will be.
///
/// # Errors
/// An option is out of its range, `dir` has content already (nothing is overwritten), or the
/// system refuses to write.
pub fn write(
    options: &SynthOptions,
    dir: &Path,
    mut progress: impl FnMut(usize, usize),
) -> Result<()> {
    options.validate()?;
    if options.train == 0 || options.val == 0 {
        return Err(Error::input(
            "number of pictures",
            format!("{} train, {} val", options.train, options.val),
            "at least one of each",
            "",
        ));
    }
    fs::create_dir_all(dir).map_err(Error::io(dir))?;
    if fs::read_dir(dir).map_err(Error::io(dir))?.next().is_some() {
        return Err(Error::input(
            dir.display(),
            "a folder with content",
            "a new or empty folder",
            "Name another folder; nothing is overwritten",
        ));
    }
    let total = options.train + options.val;
    let mut done = 0;
    for split in [Split::Train, Split::Val] {
        for kind in ["images", "labels"] {
            let folder = dir.join(kind).join(split.name());
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
        }
        let count = options.count(split);
        for start in (0..count).step_by(CHUNK) {
            let range = start..(start + CHUNK).min(count);
            done += range.len();
            write_pictures(options, split, range, dir)?;
            progress(done, total);
        }
    }
    save(&dir.join("README.md"), readme(options, dir).as_bytes())?;
    save(
        &dir.join(format!("{}.yaml", options.world)),
        yaml(options).as_bytes(),
    )
}

fn write_pictures(
    options: &SynthOptions,
    split: Split,
    range: Range<usize>,
    dir: &Path,
) -> Result<()> {
    let one = |index| write_picture(options, split, index, dir);
    #[cfg(not(target_arch = "wasm32"))]
    return range.into_par_iter().try_for_each(one);
    #[cfg(target_arch = "wasm32")]
    return range.into_iter().try_for_each(one);
}

fn write_picture(options: &SynthOptions, split: Split, index: usize, dir: &Path) -> Result<()> {
    let picture = render(options, split, index)?;
    let stem = format!("{}_{index:05}", options.world);
    let path = dir
        .join("images")
        .join(split.name())
        .join(stem.clone() + ".jpg");
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, picture.jpeg_quality)
        .encode_image(&picture.image)
        .map_err(|error| Error::input(path.display(), error, "a picture that JPEG can hold", ""))?;
    save(&path, &jpeg)?;
    let path = dir.join("labels").join(split.name()).join(stem + ".txt");
    save(&path, label_rows(&picture.labels).as_bytes())
}

/// Rows `class cx cy w h`, six decimals.
pub(super) fn label_rows(labels: &[Label]) -> String {
    labels
        .iter()
        .map(|label| {
            let [cx, cy, w, h] = label.cxcywh;
            format!("{} {cx:.6} {cy:.6} {w:.6} {h:.6}\n", label.class)
        })
        .collect()
}

fn save(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(Error::io(path))
}

fn yaml(options: &SynthOptions) -> String {
    let names: String = options
        .world
        .class_names()
        .iter()
        .enumerate()
        .map(|(index, name)| format!("  {index}: {name}\n"))
        .collect();
    format!(
        "# Synthetic {} world, seed {}: see README.md\n\
         path: .\n\
         train: images/train\n\
         val: images/val\n\
         names:\n{names}",
        options.world, options.seed
    )
}

/// The command line that writes the same folder again. An absolute path is cut to its last part:
/// the folder may be passed on.
fn command(options: &SynthOptions, dir: &Path) -> String {
    let SynthOptions {
        world,
        train,
        val,
        imgsz,
        seed,
        ..
    } = options;
    let folder = match dir.file_name() {
        Some(name) if dir.is_absolute() => name.to_string_lossy(),
        _ => dir.to_string_lossy(),
    };
    format!(
        "frostline data synth --world {world} --train {train} --val {val} --imgsz {imgsz} \
         --seed {seed} {folder:?}"
    )
    .replace('"', if folder.contains(' ') { "\"" } else { "" })
}

fn readme(options: &SynthOptions, dir: &Path) -> String {
    let SynthOptions {
        world,
        train,
        val,
        imgsz,
        seed,
        objects: [fewest, most],
        size: [smallest, largest],
    } = options;
    let names = world.class_names().join(", ");
    let classes = world.class_names().len();
    format!(
        "# Synthetic {world} world\n\
         \n\
         {train} training and {val} validation pictures of {imgsz} × {imgsz} px, seed {seed}, \
         {classes} classes: {names}.\n\
         {fewest} to {most} objects are placed in a picture, {smallest} to {largest} of its side; \
         boxes are tight around what is visible.\n\
         \n\
         Made with\n\
         \n\
         ```sh\n\
         {command}\n\
         ```\n\
         \n\
         {CREDITS}",
        command = command(options, dir),
    )
}

/// What the licences of the artwork ask to be passed on with the pictures.
const CREDITS: &str = "## Artwork

The pictures show emoji, changed (rendered, cropped, scaled, bent, recoloured, composed), from

- [Fluent Emoji](https://github.com/microsoft/fluentui-emoji), © Microsoft Corporation, MIT
- [Noto Emoji](https://github.com/googlefonts/noto-emoji), © Google Inc, [Apache-2.0](https://www.apache.org/licenses/LICENSE-2.0)
- [Twemoji](https://github.com/jdecked/twemoji), © Twitter, Inc, Jason Sofonia, Justine De Caires and other contributors, [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)
";
