//! What is known by name: addresses, sizes, and how archives are laid out.

/// Official weights of release v6.0.
pub const WEIGHTS: [&str; 5] = [
    "yolov5n.pt",
    "yolov5s.pt",
    "yolov5m.pt",
    "yolov5l.pt",
    "yolov5x.pt",
];
/// Weights of networks that are not built here.
pub const UNSUPPORTED: [&str; 5] = [
    "yolov5n6.pt",
    "yolov5s6.pt",
    "yolov5m6.pt",
    "yolov5l6.pt",
    "yolov5x6.pt",
];
/// The largest of them, x, has some 170 MB.
pub const LARGEST_WEIGHTS: u64 = 400_000_000;

/// Where weights are published.
pub fn weights_address(name: &str) -> String {
    format!("https://github.com/ultralytics/yolov5/releases/download/v6.0/{name}")
}

/// A data set that is published as archives.
#[derive(Debug)]
pub struct DataSet {
    /// `voc` of `voc.yaml`.
    pub name: &'static str,
    pub archives: &'static [Archive],
    pub layout: Layout,
    /// Class names by number.
    pub classes: &'static [&'static str],
    /// The most bytes that one archive may unpack to.
    pub largest_unpacked: u64,
    /// Whose pictures they are and under which terms, for the log.
    pub terms: &'static str,
}

/// A zip.
#[derive(Debug)]
pub struct Archive {
    pub address: &'static str,
    /// The most bytes that are fetched.
    pub largest: u64,
    /// Always the same bytes; an archive that a server makes on demand is not.
    pub stable: bool,
}

/// How pictures and boxes lie in the archives.
#[derive(Debug)]
pub enum Layout {
    /// `images/X` beside `labels/X`: the folder's name, and the sets that it is.
    Yolo {
        folder: &'static str,
        splits: &'static [&'static str],
    },
    /// `JPEGImages`, `Annotations` and `ImageSets/Main` of Pascal VOC.
    Voc { lists: &'static [List] },
}

/// A list of pictures below a folder, and the set that it belongs to.
#[derive(Debug)]
pub struct List {
    /// Number of the archive.
    pub archive: usize,
    pub folder: &'static str,
    pub list: &'static str,
    pub split: &'static str,
}

/// All data sets.
pub const DATA: [DataSet; 3] = [
    DataSet {
        name: "coco128",
        archives: &[Archive {
            address: "https://github.com/ultralytics/yolov5/releases/download/v1.0/coco128.zip",
            largest: 50_000_000,
            stable: true,
        }],
        layout: Layout::Yolo {
            folder: "train2017",
            splits: &["train", "val"],
        },
        classes: &COCO,
        largest_unpacked: 200_000_000,
        terms: "128 pictures of COCO train2017, whose terms are at cocodataset.org",
    },
    DataSet {
        name: "voc",
        archives: &[
            Archive {
                address: "https://github.com/ultralytics/yolov5/releases/download/v1.0/VOCtrainval_06-Nov-2007.zip",
                largest: 1_000_000_000,
                stable: true,
            },
            Archive {
                address: "https://github.com/ultralytics/yolov5/releases/download/v1.0/VOCtest_06-Nov-2007.zip",
                largest: 1_000_000_000,
                stable: true,
            },
            Archive {
                address: "https://github.com/ultralytics/yolov5/releases/download/v1.0/VOCtrainval_11-May-2012.zip",
                largest: 4_000_000_000,
                stable: true,
            },
        ],
        layout: Layout::Voc {
            lists: &[
                List {
                    archive: 0,
                    folder: "VOC2007",
                    list: "trainval",
                    split: "train",
                },
                List {
                    archive: 2,
                    folder: "VOC2012",
                    list: "trainval",
                    split: "train",
                },
                List {
                    archive: 1,
                    folder: "VOC2007",
                    list: "test",
                    split: "val",
                },
            ],
        },
        classes: &VOC,
        largest_unpacked: 8_000_000_000,
        terms: "Pascal VOC 2007 and 2012, whose terms are at host.robots.ox.ac.uk/pascal/VOC",
    },
    DataSet {
        name: "bccd",
        archives: &[Archive {
            address: "https://github.com/Shenggan/BCCD_Dataset/archive/refs/heads/master.zip",
            largest: 100_000_000,
            stable: false,
        }],
        layout: Layout::Voc {
            lists: &[
                List {
                    archive: 0,
                    folder: "BCCD",
                    list: "train",
                    split: "train",
                },
                List {
                    archive: 0,
                    folder: "BCCD",
                    list: "val",
                    split: "val",
                },
                List {
                    archive: 0,
                    folder: "BCCD",
                    list: "test",
                    split: "test",
                },
            ],
        },
        classes: &["Platelets", "RBC", "WBC"],
        largest_unpacked: 300_000_000,
        terms: "BCCD, under the MIT licence",
    },
];

const VOC: [&str; 20] = [
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

const COCO: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];
