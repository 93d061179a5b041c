use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use image::{ImageFormat, RgbImage};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::data::config::DataConfig;
use crate::data::dataset::{Dataset, OpenOptions};
use crate::data::picture::tests::{jpeg, quadrants};

const YAML: &str = "train: images/train\nval: images/val\nnames: [cat, dog]\n";
const BOX: &str = "1 0.5 0.5 0.25 0.5\n";

fn photo() -> Vec<u8> {
    jpeg(&quadrants())
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in files {
        zip.start_file(*path, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn open_files(files: &[(&str, &[u8])], known: &[&str]) -> Opened<Vec<u8>> {
    let given: Vec<_> = files
        .iter()
        .map(|(path, bytes)| Given {
            path: (*path).to_owned(),
            read: Box::new(|| Ok(bytes.to_vec())),
        })
        .collect();
    let known: Vec<_> = known.iter().map(|&name| name.to_owned()).collect();
    open(&given, &known, |bytes| bytes)
}

/// Name, split and class of the first box.
fn seen(opened: &Opened<Vec<u8>>) -> Vec<(&str, Option<Split>, Option<usize>)> {
    let pictures = opened.pictures.iter();
    pictures
        .map(|p| (p.name.as_str(), p.split, p.boxes.first().map(|b| b.class)))
        .collect()
}

fn told(opened: &Opened<Vec<u8>>) -> Vec<String> {
    opened.refused.iter().map(ToString::to_string).collect()
}

#[test]
fn every_usual_layout_of_a_zip_gives_the_same_set() {
    let photo = photo();
    let (train, val) = (Some(Split::Train), Some(Split::Val));
    let roboflow = "train: ../train/images\nval: ../valid/images\nnames: [cat, dog]\n";
    let far = "path: /content/pets\ntrain: images/a\nval: images/b\nnames: [cat, dog]\n";
    let lists = "train: ./train.txt\nval: ./val.txt\nnames: [cat, dog]\n";
    let layouts: &[&[(&str, &str)]] = &[
        &[
            ("data.yaml", YAML),
            ("images/train/a.jpg", ""),
            ("images/val/b.jpg", ""),
            ("labels/train/a.txt", BOX),
            ("labels/val/b.txt", BOX),
        ],
        &[
            ("pets/data.yaml", roboflow),
            ("pets/train/images/a.jpg", ""),
            ("pets/valid/images/b.jpg", ""),
            ("pets/train/labels/a.txt", BOX),
            ("pets/valid/labels/b.txt", BOX),
            ("pets/README.dataset.txt", "pets"),
        ],
        &[
            ("pets.yaml", far),
            ("images/a/a.jpg", ""),
            ("images/b/b.jpg", ""),
            ("labels/a/a.txt", BOX),
            ("labels/b/b.txt", BOX),
        ],
        &[
            ("data.yaml", lists),
            ("train.txt", "./images/a.jpg\n"),
            ("val.txt", "./images/b.jpg\n"),
            ("images/a.jpg", ""),
            ("images/b.jpg", ""),
            ("labels/a.txt", BOX),
            ("labels/b.txt", BOX),
        ],
        &[
            ("obj.names", "cat\ndog\n"),
            ("train.txt", "data/obj/a.jpg\n"),
            ("valid.txt", "data/obj/b.jpg\n"),
            ("obj/a.jpg", ""),
            ("obj/b.jpg", ""),
            ("obj/a.txt", BOX),
            ("obj/b.txt", BOX),
        ],
        &[
            ("classes.txt", "cat\ndog\n"),
            ("train2017\\a.jpg", ""),
            ("val2017\\b.jpg", ""),
            ("annotations\\a.txt", BOX),
            ("annotations\\b.txt", BOX),
            ("__MACOSX/train/._a.jpg", "x"),
            (".DS_Store", "x"),
        ],
    ];
    for layout in layouts {
        let files: Vec<(&str, &[u8])> = layout
            .iter()
            .map(|(path, text)| {
                (
                    *path,
                    if text.is_empty() {
                        &photo[..]
                    } else {
                        text.as_bytes()
                    },
                )
            })
            .collect();
        // The same files in a zip and as a folder.
        for opened in [
            open_files(&[("set.zip", &zip_of(&files))], &[]),
            open_files(&files, &[]),
        ] {
            assert_eq!(told(&opened), Vec::<String>::new(), "{layout:?}");
            assert_eq!(opened.classes, ["cat", "dog"], "{layout:?}");
            assert_eq!(
                seen(&opened),
                [("a.jpg", train, Some(1)), ("b.jpg", val, Some(1))],
                "{layout:?}"
            );
            assert_eq!(opened.pictures[0].boxes[0].cxcywh, [0.5, 0.5, 0.25, 0.5]);
            assert_eq!(opened.pictures[0].size, [80, 60]);
        }
    }
}

#[test]
fn a_flat_set_has_no_splits_and_its_files_stay_where_they_are() {
    let photo = photo();
    let files: [(&str, &[u8]); 3] = [
        ("b.txt", b"0 .5 .5 .2 .2"),
        ("a.jpg", &photo),
        ("b.jpg", &photo),
    ];
    let opened = open_files(&files, &[]);
    assert_eq!(told(&opened), Vec::<String>::new());
    assert_eq!(
        seen(&opened),
        [("a.jpg", None, None), ("b.jpg", None, Some(0))]
    );
    assert_eq!(opened.classes, ["class 0"]);
    assert_eq!(opened.pictures[1].file, PictureFile::Given(2));
    let zipped = open_files(&[("a.zip", &zip_of(&files))], &[]);
    assert_eq!(zipped.pictures[1].file, PictureFile::Here(photo));
}

#[test]
fn a_test_set_validates_only_where_nothing_else_does() {
    let photo = photo();
    let files: [(&str, &[u8]); 3] = [
        ("train/a.jpg", &photo),
        ("test/b.jpg", &photo),
        ("valid/c.jpg", &photo),
    ];
    let opened = open_files(&files[..2], &[]);
    assert_eq!(opened.pictures[0].split, Some(Split::Val));
    let opened = open_files(&files, &[]);
    assert_eq!(opened.pictures.len(), 2);
    assert!(told(&opened)[0].contains("1 pictures of a test set"));
}

#[test]
fn classes_of_several_sets_come_together_by_name() {
    let photo = photo();
    let set = |names: &str| {
        let yaml = format!("train: images\nval: images\nnames: [{names}]\n");
        zip_of(&[
            ("data.yaml", yaml.as_bytes()),
            ("images/a.jpg", &photo),
            ("labels/a.txt", BOX.as_bytes()),
        ])
    };
    let (one, other) = (set("cat, dog"), set("dog, bird"));
    let opened = open_files(&[("a.zip", &one), ("b.zip", &other)], &["fish"]);
    assert_eq!(opened.classes, ["fish", "cat", "dog", "bird"]);
    let classes: Vec<_> = opened.pictures.iter().map(|p| p.boxes[0].class).collect();
    assert_eq!(classes, [2, 3]);
    // The same pictures learn and validate: neither is said.
    assert_eq!(opened.pictures[0].split, None);
}

#[test]
fn labels_without_names_mean_what_is_known_and_names_may_come_later() {
    let photo = photo();
    let loose: [(&str, &[u8]); 2] = [
        ("a.jpg", &photo),
        ("a.txt", b"0 .5 .5 .2 .2\n7 .5 .5 .3 .3"),
    ];
    let opened = open_files(&loose, &["cat"]);
    assert_eq!(opened.classes, ["cat", "class 7"]);
    let opened = open_files(&loose, &[]);
    assert_eq!(opened.classes, ["class 0", "class 7"]);
    let known = ["class 0", "class 7"];
    let named = open_files(&[("classes.txt", b"a\nb\nc\nd\ne\nf\ng\nh\n")], &known);
    assert_eq!(named.classes[..2], ["a", "h"]);
}

#[test]
fn what_is_bad_is_named_and_the_rest_goes_in() {
    let photo = photo();
    let files: &[(&str, &[u8])] = &[
        ("data.yaml", YAML.as_bytes()),
        ("images/train/a.jpg", &photo),
        ("images/train/cut.jpg", &photo[..photo.len() - 40]),
        ("images/train/phone.heic", b"heic"),
        (
            "labels/train/a.txt",
            b"9 .5 .5 .2 .2\n0 .5 2 .1 .1\n1 .5 .5 .2 .2\n",
        ),
        ("labels/train/lost.txt", BOX.as_bytes()),
        ("../out.jpg", &photo),
        ("inner.zip", b"PK"),
        ("notes.json", b"{}"),
    ];
    let opened = open_files(
        &[
            ("set.zip", &zip_of(files)),
            ("bad.zip", b"PK"),
            ("x.doc", b""),
        ],
        &[],
    );
    assert_eq!(seen(&opened), [("a.jpg", Some(Split::Train), Some(1))]);
    assert_eq!(opened.pictures[0].boxes.len(), 1);
    let told = told(&opened).join("\n");
    for part in [
        "set.zip, labels/train/a.txt:1: found class \"9\", expected a class index in 0..1 of 2. The row was left out",
        "set.zip, labels/train/a.txt:2: found \"2\" in column 3",
        "set.zip, images/train/cut.jpg: found a JPEG that breaks off",
        "set.zip, images/train/phone.heic: found a file of another kind",
        "set.zip, labels/train/lost.txt: found labels without their picture",
        "set.zip, ../out.jpg: found a path that leads out of its folder",
        "set.zip, inner.zip: found a file of another kind",
        "bad.zip: found a zip that cannot be read",
        "x.doc: found a file of another kind",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(opened.refused.len(), 9, "{told}");
}

#[test]
fn hostile_paths_are_refused_and_junk_is_passed_over() {
    for path in [
        "../a.jpg",
        "/a.jpg",
        "a/../../b.jpg",
        "C:\\a.jpg",
        "..\\a.jpg",
        "a\0.jpg",
    ] {
        assert!(tidy(path).is_err(), "{path}");
    }
    for path in [".hidden/a.jpg", "__MACOSX/a.jpg", "a/.DS_Store", "./", ""] {
        assert_eq!(tidy(path).unwrap(), None, "{path}");
    }
    assert_eq!(tidy(".\\a//b.jpg").unwrap().unwrap(), "a/b.jpg");
}

#[test]
fn an_encrypted_entry_is_named() {
    let mut zip = zip_of(&[("a.jpg", &photo())]);
    // The flag in the local header and in the directory.
    let directory = zip.windows(4).rposition(|at| at == b"PK\x01\x02").unwrap();
    zip[6] |= 1;
    zip[directory + 8] |= 1;
    let opened = open_files(&[("a.zip", &zip)], &[]);
    assert!(told(&opened)[0].contains("a.zip, a.jpg: found an encrypted entry"));
}

#[test]
fn no_more_is_unpacked_than_allowed() {
    let zeros = vec![0; 1 << 20];
    let bytes = zip_of(&[("a.jpg", &zeros)]);
    assert!(bytes.len() < 1 << 12, "a bomb in miniature");
    let mut left = 1 << 16;
    let mut zip = Zip::open(bytes, "a.zip", &mut left).unwrap();
    let error = zip.read(0).unwrap_err().to_string();
    assert!(error.contains("more to unpack"), "{error}");
    assert_eq!(left, 0);
}

#[test]
fn a_tiff_becomes_a_png_of_the_same_pixels() {
    let mut tiff = Cursor::new(Vec::new());
    quadrants().write_to(&mut tiff, ImageFormat::Tiff).unwrap();
    let opened = open_files(&[("a.tif", &tiff.into_inner())], &[]);
    let picture = &opened.pictures[0];
    assert_eq!(picture.name, "a.png");
    let PictureFile::Here(png) = &picture.file else {
        panic!("{:?}", picture.file);
    };
    assert_eq!(
        crate::data::picture::decode(png, "a.png").unwrap(),
        quadrants()
    );
}

#[test]
fn thousands_of_problems_are_counted() {
    let rows = "9 9 9 9 9\n".repeat(1000);
    let opened = open_files(&[("a.jpg", &photo()), ("a.txt", rows.as_bytes())], &[]);
    assert_eq!(opened.refused.len(), MAX_TOLD + 1);
    assert!(told(&opened)[MAX_TOLD].contains("800 more problems"));
}

#[test]
fn a_packed_set_reads_back_the_same_here_and_from_a_disk() {
    let classes = ["고양이".to_owned(), "say \"hi\": #1".to_owned()];
    let label = |class, cx| Label {
        class,
        cxcywh: [cx, 0.5, 0.1, 1.0 / 3.0],
    };
    let pictures = [
        ("a.jpg", Split::Train, vec![label(0, 0.1), label(1, 0.7)]),
        ("A.jpg", Split::Train, vec![label(1, 0.3)]),
        ("../b", Split::Val, vec![label(0, 1e-7 + 0.5)]),
        ("c.webp", Split::Val, Vec::new()),
    ];
    let packed: Vec<_> = pictures
        .iter()
        .map(|(name, split, boxes)| Packed {
            name: (*name).to_owned(),
            split: *split,
            boxes: boxes.clone(),
        })
        .collect();
    // Pictures that differ, so that none counts as another's twin.
    let photo = |index: usize| {
        jpeg(&RgbImage::from_pixel(
            40,
            30,
            image::Rgb([60 * index as u8; 3]),
        ))
    };
    let bytes = pack(&classes, &packed, |index| Ok(photo(index))).unwrap();

    let opened = open_files(&[("out.zip", &bytes)], &[]);
    assert_eq!(told(&opened), Vec::<String>::new());
    assert_eq!(opened.classes, classes);
    let names: Vec<_> = opened.pictures.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["A-2.jpg", "a.jpg", "_b.jpg", "c.webp"]);
    let by_order = [1, 0, 2, 3];
    for (picture, &index) in opened.pictures.iter().zip(&by_order) {
        assert_eq!(picture.split, Some(packed[index].split));
        assert_eq!(picture.boxes, packed[index].boxes);
        assert_eq!(picture.file, PictureFile::Here(photo(index)));
    }

    let folder = tempfile::tempdir().unwrap();
    let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    zip.extract(folder.path()).unwrap();
    let config = DataConfig::read(&folder.path().join("data.yaml")).unwrap();
    assert_eq!(config.names, classes);
    let found: BTreeMap<_, _> = [Split::Train, Split::Val]
        .into_iter()
        .map(|split| {
            let set =
                Dataset::open(&config, split, &OpenOptions::default(), &mut |_, _| ()).unwrap();
            (split, crate::data::Source::len(&set))
        })
        .collect();
    assert_eq!(found, BTreeMap::from([(Split::Train, 2), (Split::Val, 2)]));
}
