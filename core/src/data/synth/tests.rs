use std::path::{Path, PathBuf};

use super::*;

fn shipped() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../data/target")).to_path_buf()
}

fn tiny(world: World, imgsz: usize) -> SynthOptions {
    SynthOptions {
        imgsz,
        ..SynthOptions::new(world)
    }
}

#[test]
fn a_picture_depends_on_its_options_split_and_index_alone() {
    let options = tiny(World::Source, 96);
    let draw = |options: &SynthOptions, split, index| render(options, split, index).unwrap();
    let first = draw(&options, Split::Train, 3);
    let again = draw(&options, Split::Train, 3);
    assert_eq!(first.image, again.image);
    assert_eq!(first.labels, again.labels);
    let more = SynthOptions {
        train: 1,
        ..options.clone()
    };
    assert_eq!(first.image, draw(&more, Split::Train, 3).image);
    let reseeded = SynthOptions {
        seed: 1,
        ..options.clone()
    };
    for other in [
        draw(&options, Split::Val, 3),
        draw(&options, Split::Train, 4),
        draw(&reseeded, Split::Train, 3),
        draw(&tiny(World::Target, 96), Split::Train, 3),
    ] {
        assert_ne!(first.image, other.image);
    }
}

#[test]
fn pixels_are_pinned_because_they_must_not_differ_between_platforms() {
    use sha2::Digest;
    let mut hash = sha2::Sha256::new();
    for index in 0..24 {
        let world = [World::Source, World::Target][index % 2];
        hash.update(
            render(&tiny(world, 64), Split::Val, index)
                .unwrap()
                .image
                .as_raw(),
        );
    }
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, PIXELS);
}

#[test]
fn labels_are_inside_and_tight_around_the_visible_mask() {
    for world in [World::Source, World::Target] {
        let options = tiny(world, 128);
        for index in 0..80 {
            let (picture, layers) = compose(&options, Split::Train, index);
            assert_eq!(picture.labels.len(), layers.len());
            for (i, label) in picture.labels.iter().enumerate() {
                assert!(label.class < world.class_names().len());
                let [cx, cy, w, h] = label.cxcywh.map(|f| f * 128.0);
                // Exact: halves of whole pixels over a power of two.
                let (x0, y0, x1, y1) = (cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0);
                assert!(x0 >= 0.0 && y0 >= 0.0 && x1 <= 128.0 && y1 <= 128.0);
                // The whole mask is redrawn bottom to top; what is left of object i is its own.
                let mut mask = vec![0.0; 128 * 128];
                for (x, y, alpha) in layers[i].visible_alpha(&layers[i + 1..], 128) {
                    mask[y * 128 + x] = alpha;
                }
                let solid = |x: usize, y: usize| mask[y * 128 + x] >= layer::SOLID;
                let inside = |x: usize, y: usize| {
                    (x as f32) >= x0 && (x as f32) < x1 && (y as f32) >= y0 && (y as f32) < y1
                };
                let all = || (0..128 * 128).map(|p| (p % 128, p / 128));
                assert!(all().all(|(x, y)| !solid(x, y) || inside(x, y)));
                for edge in [x0, x1 - 1.0] {
                    assert!((0..128).any(|y| solid(edge as usize, y)));
                }
                for edge in [y0, y1 - 1.0] {
                    assert!((0..128).any(|x| solid(x, edge as usize)));
                }
                assert!(layers[i].visible(&layers[i + 1..], 128).share >= LEAST_VISIBLE);
            }
        }
    }
}

#[test]
fn no_picture_is_empty_and_every_class_is_common() {
    for world in [World::Source, World::Target] {
        let options = tiny(world, 64);
        let mut counts = vec![0; world.class_names().len()];
        let pictures = 400;
        for index in 0..pictures {
            let labels = render(&options, Split::Train, index).unwrap().labels;
            assert!(!labels.is_empty(), "{world} {index}");
            labels.iter().for_each(|label| counts[label.class] += 1);
        }
        let mean = counts.iter().sum::<usize>() as f32 / counts.len() as f32;
        assert!(mean * counts.len() as f32 / pictures as f32 > 2.5);
        // Five standard deviations of a count with this mean.
        assert!(
            counts
                .iter()
                .all(|n| (*n as f32 - mean).abs() < 5.0 * mean.sqrt())
        );
    }
}

#[test]
fn a_scene_looks_the_same_at_every_resolution() {
    let (small, large) = (tiny(World::Target, 160), tiny(World::Target, 320));
    let mut compared = 0;
    for index in 0..30 {
        let a = render(&small, Split::Val, index).unwrap();
        let b = render(&large, Split::Val, index).unwrap();
        if a.labels.len() != b.labels.len() {
            // An object right at the limit of visibility.
            continue;
        }
        for (a, b) in a.labels.iter().zip(&b.labels) {
            assert_eq!(a.class, b.class);
            compared += 1;
        }
    }
    assert!(compared > 80);
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let message = |change: fn(&mut SynthOptions)| {
        let mut options = SynthOptions::new(World::Source);
        change(&mut options);
        render(&options, Split::Train, 0).unwrap_err().to_string()
    };
    assert!(message(|o| o.imgsz = 16).contains("--imgsz"));
    assert!(message(|o| o.objects = [0, 3]).contains("objects"));
    assert!(message(|o| o.objects = [4, 3]).contains("4 to 3"));
    assert!(message(|o| o.size = [f32::NAN, 0.3]).contains("size"));
    assert!(
        "sauce"
            .parse::<World>()
            .unwrap_err()
            .to_string()
            .contains("sauce")
    );
}

#[test]
fn a_written_world_is_complete_and_never_overwrites() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("world");
    let options = SynthOptions {
        train: 35,
        val: 2,
        ..tiny(World::Source, 64)
    };
    let mut reports = Vec::new();
    write(&options, &dir, |done, total| reports.push((done, total))).unwrap();
    assert_eq!(reports, [(32, 37), (35, 37), (37, 37)]);
    for (split, count) in [("train", 35), ("val", 2)] {
        for kind in ["images", "labels"] {
            let files = std::fs::read_dir(dir.join(kind).join(split))
                .unwrap()
                .count();
            assert_eq!(files, count);
        }
    }
    let yaml = std::fs::read_to_string(dir.join("source.yaml")).unwrap();
    assert!(yaml.contains("path: .\ntrain: images/train\nval: images/val\nnames:\n  0: cat\n"));
    let readme = std::fs::read_to_string(dir.join("README.md")).unwrap();
    assert!(readme.contains(
        "frostline data synth --world source --train 35 --val 2 --imgsz 64 --seed 0 world\n"
    ));
    assert!(readme.contains("CC BY 4.0"));
    let refusal = write(&options, &dir, |_, _| {}).unwrap_err().to_string();
    assert!(refusal.contains("nothing is overwritten"));
}

#[test]
fn the_shipped_target_world_is_what_its_seed_gives() {
    /// JPEG at quality 80 and more changes a channel by this much on average at most.
    const JPEG_LOSS: f64 = 6.0;
    let options = SynthOptions::new(World::Target);
    for split in [Split::Train, Split::Val] {
        for index in 0..options.count(split) {
            let picture = render(&options, split, index).unwrap();
            let stem = format!("target_{index:05}");
            let rows = shipped()
                .join("labels")
                .join(split.name())
                .join(stem.clone() + ".txt");
            let rows = std::fs::read_to_string(rows).unwrap();
            assert_eq!(rows, write::label_rows(&picture.labels), "{stem}");
            let jpeg = shipped()
                .join("images")
                .join(split.name())
                .join(stem + ".jpg");
            let jpeg = image::open(jpeg).unwrap().into_rgb8();
            assert_eq!(jpeg.dimensions(), picture.image.dimensions());
            let apart: u64 = jpeg
                .as_raw()
                .iter()
                .zip(picture.image.as_raw())
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            let mean = apart as f64 / jpeg.as_raw().len() as f64;
            assert!(mean < JPEG_LOSS, "{mean}");
        }
        let images = std::fs::read_dir(shipped().join("images").join(split.name()));
        assert_eq!(images.unwrap().count(), options.count(split));
    }
}

const PIXELS: &str = "923ca42cd4f0f3d01088d603b26944b3f7cc4c1c08c3d72766340a95397d1793";
