//! A network as an ONNX graph: BatchNorm folded, anchors and grids inside, boxes in pixels.
//!
//! | | name | shape | holds |
//! |---|---|---|---|
//! | input | `images` | `[B, 3, H, W]` | red, green, blue in `0..=1` |
//! | output | `output0` | `[B, N, 5+C]` | `cx, cy, w, h` in pixels of the input, objectness, class probabilities; rows run over scale, anchor, y, x |
//! | with [`OnnxNms`] | `output0` | `[B, K, 6]` | `x1, y1, x2, y2` in pixels, confidence, class; the most confident first, then zeros |

mod boxes;
mod graph;
mod network;
mod nms;
mod proto;
pub(crate) mod read;

use self::boxes::Scale;
use self::network::Writer;
use self::proto::{Attribute, DataType, Extent, GraphProto, Model, ValueInfo};
use crate::error::{Error, Result};
use crate::model::Folded;

/// Versions of ONNX's operators that a graph can be written for.
pub const OPSETS: std::ops::RangeInclusive<usize> = 13..=21;
/// The version that is written unless another is asked for.
pub const OPSET: usize = 17;
/// What a protobuf message can hold.
const MAX_BYTES: usize = i32::MAX as usize;
/// Half precision holds every whole number up to this.
const LAST_HALF_CLASS: usize = 2048;

const INPUT: &str = "images";
const OUTPUT: &str = "output0";
/// Keys of the metadata.
const ARCHITECTURE: &str = "architecture";
const NAMES: &str = "names";

/// How a network is written.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxOptions {
    /// Height and width of the input in pixels, multiples of the largest stride.
    pub imgsz: [usize; 2],
    /// Pictures per batch.
    pub batch: usize,
    /// Batch, height and width show only when the graph runs; `imgsz` and `batch` are then noted alone.
    pub dynamic: bool,
    /// Weights, input and output in half precision. Boxes are decoded in single precision.
    pub half: bool,
    /// Suppression in the graph.
    pub nms: Option<OnnxNms>,
    /// Version of the operators, among [`OPSETS`].
    pub opset: usize,
}

/// Non-maximum suppression in the graph, with the meaning of [`crate::eval::NmsOptions`].
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxNms {
    /// A detection's confidence is above this.
    pub conf: f32,
    /// A box is suppressed when its IoU with a more confident one is above this.
    pub iou: f32,
    /// Boxes of different classes suppress each other too.
    pub agnostic: bool,
    /// Rows per picture (K, or all boxes where there are fewer).
    pub max_det: usize,
}

/// The bytes of an `.onnx` file that computes what [`Folded::predict`] does. Its metadata holds `names` (a JSON list), `stride`,
/// `task`, `imgsz` (height, width), `batch` and `architecture` (JSON), from which [`crate::weights::Checkpoint`] reads it again.
///
/// # Errors
/// A size that the strides do not divide, an unknown opset, a network that is too large for one file or whose
/// weights half precision cannot hold, or a device that fails.
pub async fn write(model: &Folded, names: &[String], options: &OnnxOptions) -> Result<Vec<u8>> {
    check(model, options)?;
    let graph = graph(model, options).await?;
    encode(graph, metadata(model, names, options)?, options.opset)
}

async fn graph(model: &Folded, options: &OnnxOptions) -> Result<GraphProto> {
    let architecture = model.architecture();
    let (nc, strides) = (architecture.nc, architecture.strides());
    let mut writer = Writer::new(model, options.half).await?;
    let heads = writer.modules(model, INPUT)?;
    let mut graph = writer.graph;

    let mut rows = Vec::with_capacity(heads.len());
    let mut total = 0;
    for ((head, anchors), &stride) in heads.iter().zip(&architecture.anchors).zip(&strides) {
        let name = head.trim_end_matches(".conv");
        let head = match options.half {
            true => boxes::cast(&mut graph, format!("{name}.float"), head, DataType::Float),
            false => head.clone(),
        };
        let cells = options.imgsz.map(|side| side / stride);
        total += anchors.len() * cells[0] * cells[1];
        let scale = Scale {
            anchors,
            stride,
            nc,
            cells: (!options.dynamic).then_some(cells),
        };
        rows.push(boxes::decode(&mut graph, name, &head, &scale));
    }
    let scales: Vec<&str> = rows.iter().map(String::as_str).collect();
    let axis = vec![Attribute::int("axis", 1)];
    let mut output = graph.node("Concat", "rows", &scales, axis); // [B, N, 5+C]
    if let Some(nms) = &options.nms {
        let n = (!options.dynamic).then_some(total);
        output = nms::suppress(&mut graph, &output, nc, n, nms);
    }
    if options.half {
        boxes::cast(
            &mut graph,
            format!("{output}.half"),
            &output,
            DataType::Float16,
        );
    }
    graph.rename_last(OUTPUT);

    let [batch, height, width] = extents(options);
    let (rows, columns) = match &options.nms {
        Some(nms) => (total.min(nms.max_det), 6),
        None => (total, 5 + nc),
    };
    let rows = match options.dynamic {
        true => Extent::Name("rows"),
        false => Extent::Value(rows),
    };
    let value = |name, shape| ValueInfo {
        name,
        data_type: if options.half {
            DataType::Float16
        } else {
            DataType::Float
        },
        shape,
    };
    let input = vec![batch.clone(), Extent::Value(3), height, width];
    Ok(GraphProto {
        name: "yolov5",
        node: graph.nodes,
        initializer: graph.constants,
        input: value(INPUT, input),
        output: value(OUTPUT, vec![batch, rows, Extent::Value(columns)]),
    })
}

fn check(model: &Folded, options: &OnnxOptions) -> Result<()> {
    let architecture = model.architecture();
    let stride = architecture.max_stride();
    let [height, width] = options.imgsz;
    if height == 0 || width == 0 || height % stride != 0 || width % stride != 0 {
        return Err(Error::input(
            "the size of the input",
            format!("{height}×{width}"),
            format!("multiples of the stride {stride}"),
            "",
        ));
    }
    if options.batch == 0 {
        return Err(Error::input("the batch size", 0, "at least 1", ""));
    }
    if !OPSETS.contains(&options.opset) {
        return Err(Error::input(
            "the opset",
            options.opset,
            format!("{} to {}", OPSETS.start(), OPSETS.end()),
            format!("{OPSET} suits most programs"),
        ));
    }
    if options.half && options.nms.is_some() && architecture.nc > LAST_HALF_CLASS {
        return Err(Error::input(
            "suppression in half precision",
            format!("{} classes", architecture.nc),
            format!("at most {LAST_HALF_CLASS}, whose numbers half precision can tell apart"),
            "Leave one of the two out",
        ));
    }
    Ok(())
}

/// Batch, height and width.
fn extents(options: &OnnxOptions) -> [Extent; 3] {
    let [height, width] = options.imgsz;
    let sides = [
        ("batch", options.batch),
        ("height", height),
        ("width", width),
    ];
    sides.map(|(name, side)| match options.dynamic {
        true => Extent::Name(name),
        false => Extent::Value(side),
    })
}

type Metadata = Vec<(&'static str, String)>;

fn metadata(model: &Folded, names: &[String], options: &OnnxOptions) -> Result<Metadata> {
    let unwritable = |error| Error::input("the metadata", error, "text as JSON", "");
    let architecture = serde_json::to_string(model.architecture()).map_err(unwritable)?;
    let [height, width] = options.imgsz;
    Ok(vec![
        ("stride", model.architecture().max_stride().to_string()),
        (NAMES, serde_json::to_string(names).map_err(unwritable)?),
        ("task", "detect".to_owned()),
        ("imgsz", format!("[{height}, {width}]")),
        ("batch", options.batch.to_string()),
        (ARCHITECTURE, architecture),
    ])
}

fn encode(graph: GraphProto, metadata_props: Metadata, opset: usize) -> Result<Vec<u8>> {
    let model = Model {
        // The version of the format that came with the operators.
        ir_version: match opset {
            ..=14 => 7,
            15..=18 => 8,
            19..=20 => 9,
            _ => 10,
        },
        opset,
        producer_name: "frostline",
        producer_version: env!("CARGO_PKG_VERSION"),
        graph,
        metadata_props,
    };
    let bytes = model.encode();
    if bytes.len() > MAX_BYTES {
        return Err(Error::input(
            "the network",
            format!("{} bytes", bytes.len()),
            format!("at most {MAX_BYTES}, which one file can hold"),
            "Export half precision",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
