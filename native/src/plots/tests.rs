//! Every picture is made once, and is neither blank nor of the wrong size. With
//! `FROSTLINE_PLOTS=<folder>` they are left there to be looked at.

use std::path::{Path, PathBuf};

use frostline::data::{Batch, Label, Placement};
use frostline::eval::{ConfusionMatrix, Detection, Evaluator};

use super::*;

/// Numbers in 0 … 1 that look random and are the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 24) as f32
    }
}

fn with_folder(test: impl FnOnce(&Path)) {
    if let Some(folder) = std::env::var_os("FROSTLINE_PLOTS") {
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("folder");
        test(&folder);
    } else {
        // Unique per test, since tests share the process.
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("frostline-plots-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("folder");
        test(&folder);
        std::fs::remove_dir_all(&folder).expect("own folder");
    }
}

/// Reads a picture back, and asserts its size and that at least `percent` of it is not white.
fn assert_drawn(path: &Path, size: Option<[u32; 2]>, percent: f64) {
    let image = image::open(path).expect("a picture").to_rgb8();
    if let Some(size) = size {
        assert_eq!([image.width(), image.height()], size, "{}", path.display());
    }
    let inked = image
        .pixels()
        .filter(|p| p.0.iter().any(|v| *v < 240))
        .count();
    let part = inked as f64 * 100.0 / f64::from(image.width() * image.height());
    assert!(
        part > percent,
        "{}: only {part:.2} % is drawn",
        path.display()
    );
}

fn names(n: usize) -> Vec<String> {
    let known = [
        "apple",
        "glass bottle",
        "traffic light",
        "dog",
        "jellyfish",
        "hammer",
    ];
    (0..n)
        .map(|i| {
            known
                .get(i)
                .map_or(format!("class {i}"), |name| (*name).to_owned())
        })
        .collect()
}

fn evaluated(nc: usize) -> (Evaluator, ConfusionMatrix) {
    let (mut evaluator, mut matrix) = (Evaluator::new(nc), ConfusionMatrix::new(nc));
    let mut dice = Dice(7);
    for _ in 0..60 * nc {
        let class = (dice.roll() * nc as f32) as usize;
        let (x, y) = (dice.roll() * 500.0, dice.roll() * 500.0);
        let (w, h) = (20.0 + dice.roll() * 100.0, 20.0 + dice.roll() * 100.0);
        let labels = [(class, [x, y, x + w, y + h])];
        let shift = dice.roll() * w * 0.5;
        let confused = dice.roll() < 0.15;
        let found = Detection {
            xyxy: [x + shift, y, x + w + shift, y + h],
            confidence: (0.95 - shift / w * 1.2 - dice.roll() * 0.3).max(0.01),
            class: if confused { (class + 1) % nc } else { class },
        };
        let mut detections = vec![found];
        if dice.roll() < 0.4 {
            detections.push(Detection {
                xyxy: [x + 200.0, y, x + 240.0, y + 40.0],
                confidence: 0.01 + dice.roll() * 0.5,
                class: (dice.roll() * nc as f32) as usize,
            });
        }
        detections.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
        evaluator.push(&detections, &labels);
        matrix.push(&detections, &labels);
    }
    (evaluator, matrix)
}

#[test]
fn results_are_drawn_from_the_table() {
    with_folder(|folder| {
        let csv = folder.join("results.csv");
        let mut text = String::from(
            "epoch,train/box_loss,train/obj_loss,train/cls_loss,metrics/precision,metrics/recall,\
             metrics/mAP_0.5,metrics/mAP_0.5:0.95,val/box_loss,val/obj_loss,val/cls_loss,\
             x/lr0,x/lr1,x/lr2\n",
        );
        let mut dice = Dice(3);
        for epoch in 0..30 {
            let t = f64::from(epoch) / 30.0;
            let mut noise = || f64::from(dice.roll()) * 0.02;
            let fall = |from: f64, noise: f64| from * (0.3 + 0.7 * (-4.0 * t).exp()) + noise * from;
            let rise = |to: f64, noise: f64| to * (1.0 - (-5.0 * t).exp()) + noise * 2.0;
            text += &format!(
                "{epoch:>20},{},{},{},{},{},{},{},{},{},{},0.01,0.01,0.01\n",
                fall(0.11, noise()),
                fall(0.04, noise()),
                fall(0.025, noise()),
                rise(0.8, noise()),
                rise(0.75, noise()),
                rise(0.78, noise()),
                rise(0.45, noise()),
                fall(0.1, noise()),
                fall(0.03, noise()),
                fall(0.02, noise()),
            );
        }
        std::fs::write(&csv, &text).expect("csv");
        let png = folder.join("results.png");
        plot_results(&csv, &png).expect("results");
        assert_drawn(&png, Some([2400, 960]), 2.0);

        for rows in [0, 1] {
            let short: Vec<&str> = text.lines().take(1 + rows).collect();
            std::fs::write(&csv, short.join("\n")).expect("csv");
            let png = folder.join(format!("results_{rows}.png"));
            plot_results(&csv, &png).expect("results");
            assert_drawn(&png, Some([2400, 960]), 0.5);
        }
    });
}

#[test]
fn the_four_curves_are_drawn_for_few_and_for_many_classes() {
    for nc in [3, 20, 80] {
        with_folder(|folder| {
            let folder = folder.join(format!("curves_{nc}"));
            std::fs::create_dir_all(&folder).expect("folder");
            let metrics = evaluated(nc).0.finish();
            plot_curves(&folder, &metrics, &names(nc)).expect("curves");
            for file in ["PR_curve.png", "F1_curve.png", "P_curve.png", "R_curve.png"] {
                assert_drawn(&folder.join(file), Some([1800, 1200]), 1.5);
            }
        });
    }
}

#[test]
fn curves_without_labels_say_so() {
    with_folder(|folder| {
        let folder = folder.join("curves_0");
        std::fs::create_dir_all(&folder).expect("folder");
        plot_curves(&folder, &Evaluator::new(3).finish(), &names(3)).expect("curves");
        assert_drawn(&folder.join("F1_curve.png"), Some([1800, 1200]), 0.3);
    });
}

#[test]
fn confusion_is_drawn_for_few_and_for_many_classes() {
    with_folder(|folder| {
        for nc in [1, 4, 20, 80] {
            let png = folder.join(format!("confusion_matrix_{nc}.png"));
            plot_confusion_matrix(&png, &evaluated(nc).1, &names(nc)).expect("confusion");
            assert_drawn(&png, None, 1.0);
        }
    });
}

fn labels(n: usize, nc: usize) -> Vec<Label> {
    let mut dice = Dice(11);
    (0..n)
        .map(|_| {
            let (w, h) = (0.05 + dice.roll().powi(2) * 0.5, 0.05 + dice.roll() * 0.4);
            let center = |side: f32, roll: f32| side / 2.0 + (1.0 - side) * roll;
            Label {
                class: (dice.roll().powi(2) * nc as f32) as usize,
                cxcywh: [center(w, dice.roll()), center(h, dice.roll()), w, h],
            }
        })
        .collect()
}

#[test]
fn label_statistics_are_drawn_for_few_and_for_many_classes() {
    with_folder(|folder| {
        for (n, nc) in [(0, 0), (300, 3), (900, 20), (3000, 80)] {
            let jpg = folder.join(format!("labels_{nc}.jpg"));
            plot_labels(&jpg, &labels(n, nc), &names(nc)).expect("labels");
            assert_drawn(&jpg, Some([1700, 1700]), if n > 0 { 3.0 } else { 0.3 });
        }
        let beyond = [Label {
            class: 5,
            cxcywh: [0.5, f32::NAN, 2.0, -1.0],
        }];
        plot_labels(&folder.join("labels_odd.jpg"), &beyond, &[]).expect("labels");
    });
}

fn batch(pictures: usize, [h, w]: [usize; 2]) -> Batch {
    let mut pixels = Vec::new();
    for picture in 0..pictures {
        for channel in 0..3 {
            for y in 0..h {
                for x in 0..w {
                    let wave = (x as f32 * 0.05 + picture as f32).sin()
                        + (y as f32 * 0.04 * (channel + 1) as f32).cos();
                    pixels.push((120.0 + 45.0 * wave) as u8);
                }
            }
        }
    }
    let placements = (0..pictures)
        .map(|i| Placement {
            path: format!("pictures/a folder/photo_{i:04}.jpg").into(),
            original: [w, h],
            ratio: [1.0, 1.0],
            pad: [0.0, 0.0],
        })
        .collect();
    let labels = labels(pictures * 4, 6);
    let targets = labels
        .into_iter()
        .enumerate()
        .map(|(i, l)| (i / 4, l))
        .collect();
    Batch {
        pixels,
        shape: [pictures, 3, h, w],
        targets,
        placements,
    }
}

#[test]
fn batches_are_drawn_with_labels_and_with_detections() {
    with_folder(|folder| {
        let names = names(6);
        for (pictures, size, expected) in [
            (16, [320, 320], [1950, 1950]),
            (5, [192, 320], [1944, 786]),
            (1, [96, 96], [396, 396]),
            (20, [640, 640], [1950, 1950]),
        ] {
            let batch = batch(pictures, size);
            let jpg = folder.join(format!("train_batch{pictures}.jpg"));
            plot_batch_labels(&jpg, &batch, &names).expect("batch");
            assert_drawn(&jpg, Some(expected), 60.0);
        }
        let batch = batch(4, [320, 320]);
        let mut detections = vec![Vec::new(); 4];
        for (picture, label) in &batch.targets {
            let [cx, cy, w, h] = label.cxcywh.map(|v| v * 320.0);
            detections[*picture].push(Detection {
                xyxy: [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0],
                confidence: 0.2 + 0.7 * label.cxcywh[0],
                class: label.class,
            });
        }
        let jpg = folder.join("val_batch0_pred.jpg");
        plot_batch_detections(&jpg, &batch, &detections, &names).expect("batch");
        assert_drawn(&jpg, Some([1938, 1938]), 60.0);
        plot_batch_detections(&folder.join("few.jpg"), &batch, &[], &names).expect("batch");
    });
}

#[test]
fn a_batch_that_does_not_fill_its_shape_is_an_error() {
    let mut broken = batch(2, [32, 32]);
    broken.pixels.pop();
    let error = plot_batch_labels(Path::new("never.jpg"), &broken, &[]).expect_err("error");
    assert!(
        error
            .to_string()
            .contains("holds 6143 values, expected 6144")
    );
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    with_folder(|folder| {
        let path = folder.join("no such folder").join("labels.jpg");
        let error = plot_labels(&path, &[], &[]).expect_err("error");
        assert!(format!("{error:#}").contains("labels.jpg"));
    });
}

#[test]
fn detections_are_drawn_on_a_picture() {
    with_folder(|folder| {
        let mut image = RgbImage::from_fn(900, 600, |x, y| {
            image::Rgb([(x / 5) as u8, 120, (y / 4) as u8])
        });
        let at = |xyxy, confidence, class| Detection {
            xyxy,
            confidence,
            class,
        };
        let detections = [
            at([60.0, 80.0, 300.0, 400.0], 0.93, 0),
            at([200.0, 150.0, 480.0, 500.0], 0.81, 1),
            at([700.0, -20.0, 920.0, 200.0], 0.77, 2),
            at([850.0, 400.0, 890.0, 590.0], 0.5, 3),
            at([400.0, 60.0, 640.0, 320.0], 0.41, 26),
        ];
        draw_detections(
            &mut image,
            &detections,
            &names(6),
            &DetectionStyle::default(),
        );
        let png = folder.join("detections.png");
        save(&image, &png).expect("picture");
        assert_drawn(&png, Some([900, 600]), 90.0);
    });
}
