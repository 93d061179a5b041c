//! What the page and the engine say to each other.
//!
//! The page asks, each time under a new number; the engine answers under that number with one [`Said`]
//! that ends the matter, and with events on the way where something takes long. On the wire a message is
//! `{ text, bytes }`: `text` is a [`Letter`] as JSON, `bytes` a list of `ArrayBuffer`s that are handed
//! over, not copied. What belongs into `bytes` stands with each message; most have none.

use frostline::Error;
use frostline::error::Problem;
use serde::{Deserialize, Serialize};

/// A message under the number of the question that it is or answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Letter<T> {
    /// Chosen by the page, never twice. 0 is nobody's: the engine uses it for what no question led to.
    pub id: u32,
    /// What is said.
    pub body: T,
}

/// What the page asks of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Choose a device. First of all, and again whenever a person chooses another: what was loaded stays,
    /// a run under way ends. Answer: [`Said::Ready`].
    Start {
        /// Which.
        device: Wish,
        /// Features at the cut may take so many MiB of memory; more go into a file of the browser's own.
        /// 512 unless it is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        feature_mib: Option<u32>,
    },
    /// Read weights. Bytes: the `.pt` or `.safetensors` file. Answer: [`Said::Weights`].
    Weights {
        /// The file's name, for errors.
        name: String,
    },
    /// Read files of a labelled set: pictures, label files, a data yaml, lists of class names, zips of all that.
    /// Bytes: one file per name. Answer: [`Said::Opened`].
    Open {
        /// Path of each file within what was given; its name where it was given alone.
        files: Vec<String>,
        /// Class names that there are already: label files without names of their own mean these.
        classes: Vec<String>,
    },
    /// Write a set as a YOLO zip. Bytes: one encoded file per picture, in their order. Answer: [`Said::Packed`].
    Pack {
        /// Class names by index.
        classes: Vec<String>,
        /// The pictures.
        pictures: Vec<LabelledPicture>,
    },
    /// Take pictures with their boxes, in place of earlier ones. Bytes: one encoded file (jpeg, png, webp,
    /// bmp, tiff) per picture, in their order. Answer: [`Said::Data`].
    Data {
        /// Class names by index.
        classes: Vec<String>,
        /// The pictures.
        pictures: Vec<LabelledPicture>,
    },
    /// Say what a run with these settings would do, without doing it. Needs weights and data.
    /// Answer: [`Said::Started`].
    Forecast(TrainAsk),
    /// Fine-tune the weights on the data. Events: [`Said::Started`], [`Said::Features`], [`Said::Step`],
    /// [`Said::Epoch`]. Answer: [`Said::Done`].
    Train(TrainAsk),
    /// Go on with a run from the snapshot of an epoch; its weights and data are loaded again first.
    /// Bytes: the snapshot of [`Said::Epoch`]. Events and answer as for [`Ask::Train`].
    Resume,
    /// Hold the run under way after its step. Answer: [`Said::Fine`].
    Pause,
    /// Let it go on. Answer: [`Said::Fine`].
    Go,
    /// End it after its step; the best weights so far are kept. Answer: [`Said::Fine`]; the run is answered with
    /// [`Said::Done`].
    Stop,
    /// Find objects. Bytes: the picture. Answer: [`Said::Detected`].
    Detect {
        /// How the picture comes.
        picture: PictureForm,
        /// Longer side of the network's input in pixels, a multiple of 32.
        imgsz: usize,
        /// Least confidence.
        conf: f32,
        /// IoU above which a weaker box is suppressed.
        iou: f32,
        /// With which weights.
        which: Which,
    },
    /// Show what a module makes of a picture. Bytes: the picture. Answer: [`Said::Xray`].
    Xray {
        /// How the picture comes.
        picture: PictureForm,
        /// Longer side of the network's input in pixels, a multiple of 32.
        imgsz: usize,
        /// Index of the module; Detect has no map.
        module: usize,
        /// With which weights.
        which: Which,
    },
    /// Hand over the fine-tuned weights. Answer: [`Said::Exported`].
    Export,
    /// Write a file of weights as ONNX. Bytes: the file. Answer: [`Said::Exported`].
    Onnx {
        /// Side of the graph's input in pixels, a multiple of 32.
        imgsz: usize,
    },
    /// Measure what tests compare. Answer: [`Said::Checked`].
    Check(Check),
}

/// Which device is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// A real GPU when there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The browser's adapter, also one in software.
    Gpu,
    /// The CPU.
    Cpu,
}

/// What a picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// Learnt from.
    Train,
    /// Validated on.
    Val,
}

/// A picture's name, boxes and use; its file stands among the message's bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelledPicture {
    /// Name, unique among those of its use; the order of names is the order of the set.
    pub name: String,
    /// Class index and `[cx, cy, w, h]` as fractions of the upright picture.
    pub boxes: Vec<(usize, [f32; 4])>,
    /// What it is for.
    pub split: Use,
}

/// How a picture's pixels come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PictureForm {
    /// As the bytes of a file.
    File,
    /// As a canvas gives them: RGBA, row after row.
    Rgba {
        /// In pixels.
        width: usize,
        /// In pixels.
        height: usize,
    },
}

/// Which weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Those that were loaded, with their own classes.
    Before,
    /// The best of the run; while it is under way, those it has come to.
    After,
}

/// How to train. What is `None` the engine chooses as the native program does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainAsk {
    /// In the freeze language.
    pub freeze: String,
    /// Epochs.
    pub epochs: usize,
    /// Learning rate after warm-up.
    #[serde(default)]
    pub lr0: Option<f64>,
    /// Side of the network's input in pixels, a multiple of 32.
    pub imgsz: usize,
    /// Pictures per batch.
    pub batch: usize,
    /// Everything random follows from it.
    pub seed: u64,
    /// Fixed views per picture whose features at the cut are kept; 0 learns from fresh augmentation.
    #[serde(default)]
    pub views: Option<usize>,
    /// `SGD`, `Adam` or `AdamW`.
    #[serde(default)]
    pub optimizer: Option<String>,
}

/// What tests measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Every kernel of the GPU against its twin on the CPU.
    Kernels,
    /// Some steps of a run, and no more: their losses in full precision. Needs weights and data.
    Steps {
        /// The run.
        settings: TrainAsk,
        /// How many.
        steps: usize,
    },
    /// Take the GPU away, as a browser may. Answer: [`Said::Fine`].
    Lose,
}

/// What the engine says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The engine computes on a device.
    Ready(DeviceSaid),
    /// Weights were read.
    Weights(WeightsSaid),
    /// What was found in files. Bytes: those of pictures that are none of the given files, in their order.
    Opened(OpenedSaid),
    /// A set as a zip. Bytes: the file.
    Packed {
        /// A name for the file.
        name: String,
    },
    /// Pictures were taken.
    Data(DataSaid),
    /// What a run does: as a forecast, or because it has begun.
    Started(RunSaid),
    /// Features at the cut in the making.
    Features {
        /// Pictures whose features are there.
        done: usize,
        /// Pictures of the view.
        total: usize,
    },
    /// A step was done.
    Step(StepSaid),
    /// An epoch was done. Bytes: a snapshot to resume from, unless the last one is too young for what it costs.
    Epoch(EpochSaid),
    /// A run has ended.
    Done(DoneSaid),
    /// Objects that were found.
    Detected {
        /// Most confident first, in pixels of the picture.
        boxes: Vec<FoundBox>,
        /// Names of the classes of these weights.
        classes: Vec<String>,
        /// How long it took.
        seconds: f64,
    },
    /// Activations as pictures. Bytes: RGBA pixels, plane after plane.
    Xray {
        /// Channels.
        planes: usize,
        /// Of a plane, in pixels.
        width: usize,
        /// Of a plane, in pixels.
        height: usize,
        /// The part of a plane `[left, top, width, height]` in its pixels that shows the picture; the rest is padding.
        content: [f64; 4],
    },
    /// Weights. Bytes: a `.safetensors` or `.onnx` file.
    Exported {
        /// A name for the file.
        name: String,
    },
    /// What a test asked for.
    Checked(CheckedSaid),
    /// It is so.
    Fine,
    /// The device was lost and the engine goes on with another, by itself. Answers nothing.
    Lost {
        /// What the browser says of it.
        why: String,
        /// What the engine computes on now.
        now: DeviceSaid,
        /// The epoch from which the run goes on, counted from 0; none when none was under way.
        from_epoch: Option<usize>,
    },
    /// It cannot be done; the answer to the question, or under 0 the end of the engine.
    Failed(Refusal),
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSaid {
    /// Whether it is a GPU, real or imitated.
    pub gpu: bool,
    /// The part's own name.
    pub name: String,
    /// One sentence: why this one.
    pub why: String,
}

/// Weights that were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightsSaid {
    /// `n`, `s`, `m`, `l` or `x`; none for another network.
    pub size: Option<String>,
    /// Class names; none when the file has none.
    pub classes: Option<Vec<String>>,
    /// Tensors in the file.
    pub tensors: usize,
    /// Tensors that the network has, as far as it is known.
    pub wanted: usize,
}

/// What was found in files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedSaid {
    /// Class names by index: those that were known first.
    pub classes: Vec<String>,
    /// The pictures.
    pub pictures: Vec<OpenedPicture>,
    /// What was left out, and why.
    pub refused: Vec<Refusal>,
}

/// A picture that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OpenedPicture {
    /// Its file name, without folders.
    pub name: String,
    /// Upright size `[w, h]` in pixels.
    pub size: [u32; 2],
    /// Class index and `[cx, cy, w, h]` as fractions of the picture.
    pub boxes: Vec<(usize, [f32; 4])>,
    /// What it is for, where the files say so.
    pub split: Option<Use>,
    /// Index of the given file that it is; none when its bytes come with the answer.
    pub given: Option<usize>,
}

/// Pictures that were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSaid {
    /// Pictures that are learnt from.
    pub train: usize,
    /// Pictures that are validated on.
    pub val: usize,
    /// Boxes in both.
    pub boxes: usize,
    /// Pictures that were left out.
    pub refused: Vec<Refusal>,
}

/// What a run does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSaid {
    /// Tensors taken from the weights.
    pub transferred: usize,
    /// Tensors of the network.
    pub tensors: usize,
    /// Why the others were not taken, in some lines.
    pub explanation: Vec<String>,
    /// Update rule.
    pub optimizer: String,
    /// Learning rate after warm-up.
    pub lr0: f64,
    /// Epochs.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps: usize,
    /// Views per picture whose features are kept; 0 when every step begins at the picture.
    pub views: usize,
    /// Bytes that these features take.
    pub feature_bytes: u64,
    /// Bytes of activations that a step keeps for its backward pass.
    pub activation_bytes: u64,
    /// Multiply-adds and adds of the whole run: its steps, and the features once.
    pub flops: u64,
    /// Whether anchors were fitted to the boxes.
    pub new_anchors: bool,
    /// The epoch that it begins with: above 0 when it goes on.
    pub from_epoch: usize,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepSaid {
    /// Counted from 0.
    pub epoch: usize,
    /// Within the epoch, counted from 0.
    pub step: usize,
    /// Box, objectness and class loss.
    pub losses: [f64; 3],
    /// Norm of the gradient by module, now and then; modules that are not named do not learn.
    pub gradients: Vec<(usize, f64)>,
}

/// One epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochSaid {
    /// Counted from 0.
    pub epoch: usize,
    /// Means over its steps: box, objectness and class loss.
    pub losses: [f64; 3],
    /// The same on the pictures of validation.
    pub val_losses: [f64; 3],
    /// What it reached.
    pub reached: Reached,
    /// Whether it is the best so far.
    pub best: bool,
    /// Steps per second in this epoch.
    pub steps_per_s: f64,
    /// Seconds that the rest will take at the pace of the recent epochs.
    pub left_s: f64,
    /// Bytes of memory that the engine holds.
    pub memory_bytes: u64,
    /// How far the statistics of each module's BatchNorms have moved since the start, relative to what they were.
    pub drift: Vec<(usize, f64)>,
}

/// What a network reaches on the pictures of validation; each in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Reached {
    /// Precision.
    pub precision: f64,
    /// Recall.
    pub recall: f64,
    /// mAP50.
    pub map50: f64,
    /// mAP50-95.
    pub map: f64,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneSaid {
    /// Epochs that were done.
    pub epochs: usize,
    /// Whether a person ended it.
    pub stopped: bool,
    /// The best epoch, counted from 0; none when none was finished.
    pub best_epoch: Option<usize>,
    /// What it reached.
    pub best: Reached,
    /// What a person's computer worked on it, pauses not counted.
    pub seconds: f64,
    /// Per freeze stage: what was frozen, before and after.
    pub receipts: Vec<ReceiptSaid>,
}

/// A freeze receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptSaid {
    /// First epoch of the stage.
    pub from_epoch: usize,
    /// Frozen parameter tensors.
    pub parameters: usize,
    /// Statistics of frozen BatchNorms.
    pub statistics: usize,
    /// SHA-256 (hex) of the parameters, before and after.
    pub parameters_sha256: [String; 2],
    /// SHA-256 (hex) of the statistics, before and after.
    pub statistics_sha256: [String; 2],
    /// Whether nothing moved.
    pub holds: bool,
}

/// A detected object.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FoundBox {
    /// Corners `[x1, y1, x2, y2]` in pixels of the picture.
    pub xyxy: [f32; 4],
    /// In `0..=1`.
    pub confidence: f32,
    /// Class index.
    pub class: usize,
}

/// What a test asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckedSaid {
    /// What was compared, and the largest difference relative to the largest value.
    Kernels(Vec<(String, f64)>),
    /// Losses step by step.
    Steps(Vec<[f64; 3]>),
}

/// Why something cannot be done: the library's problem, in the library's English. `words` has the Korean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// File, field or thing.
    pub place: String,
    /// What stands there.
    pub found: String,
    /// What should stand there.
    pub expected: String,
    /// The next step; may be empty.
    pub next: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Input(problem) => {
                let Problem {
                    place,
                    found,
                    expected,
                    next,
                } = *problem;
                Self {
                    place,
                    found,
                    expected,
                    next,
                }
            }
            other => Self {
                place: "the engine".to_owned(),
                found: other.to_string(),
                expected: "a finished computation".to_owned(),
                next: String::new(),
            },
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::input(refusal.place, refusal.found, refusal.expected, refusal.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reads_as_plain_json() {
        let letter = Letter {
            id: 7,
            body: Ask::Detect {
                picture: PictureForm::Rgba {
                    width: 4,
                    height: 2,
                },
                imgsz: 320,
                conf: 0.25,
                iou: 0.5,
                which: Which::After,
            },
        };
        let text = serde_json::to_string(&letter).unwrap();
        assert_eq!(
            text,
            r#"{"id":7,"body":{"detect":{"picture":{"rgba":{"width":4,"height":2}},"imgsz":320,"conf":0.25,"iou":0.5,"which":"after"}}}"#
        );
        assert_eq!(serde_json::from_str::<Letter<Ask>>(&text).unwrap(), letter);
        let pause: Letter<Ask> = serde_json::from_str(r#"{"id":8,"body":"pause"}"#).unwrap();
        assert_eq!(pause.body, Ask::Pause);
    }

    #[test]
    fn what_a_person_does_not_choose_may_be_left_out() {
        let text = r#"{"freeze":"24","epochs":3,"imgsz":320,"batch":8,"seed":0}"#;
        let ask: TrainAsk = serde_json::from_str(text).unwrap();
        assert_eq!((ask.lr0, ask.views, ask.optimizer), (None, None, None));
    }

    #[test]
    fn a_problem_of_the_library_crosses_whole() {
        let error = Error::input("a.jpg", "a hole", "a picture", "Save it again");
        let text = error.to_string();
        let there = serde_json::to_string(&Refusal::from(error)).unwrap();
        let refusal: Refusal = serde_json::from_str(&there).unwrap();
        assert_eq!(Error::from(refusal).to_string(), text);
    }
}
