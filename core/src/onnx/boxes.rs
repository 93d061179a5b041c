//! Decoding of raw heads, as [`crate::model::detect::decode`] does it, in single precision.

use super::graph::Graph;
use super::proto::{Attribute, DataType};

/// What decoding one scale needs to know.
pub(super) struct Scale<'a> {
    /// Sides of the anchors in pixels.
    pub anchors: &'a [[f32; 2]],
    pub stride: usize,
    pub nc: usize,
    /// Height and width in cells, where they are known before the graph runs.
    pub cells: Option<[usize; 2]>,
}

/// Adds `x` as another type.
pub(super) fn cast(graph: &mut Graph, name: String, x: &str, to: DataType) -> String {
    let to = vec![Attribute::int("to", to as usize)];
    graph.node("Cast", name, &[x], to)
}

/// Decodes the raw head `[B, A·(5+C), H, W]` called `head` into rows `[B, A·H·W, 5+C]` and returns their name.
pub(super) fn decode(graph: &mut Graph, name: &str, head: &str, scale: &Scale) -> String {
    let (count, outputs) = (scale.anchors.len(), 5 + scale.nc);
    let named = |part: &str| format!("{name}.{part}");
    let shift = match scale.cells {
        Some(cells) => known_shift(graph, named("shift"), cells, scale.stride),
        None => computed_shift(graph, name, head, scale.stride),
    };
    let sizes: Vec<f32> = scale
        .anchors
        .iter()
        .flatten()
        .map(|side| side * 4.0)
        .collect();
    let sizes = graph.floats(named("sizes"), &[1, count, 2, 1], &sizes);
    let twice = graph.floats(named("cell"), &[], &[2.0 * scale.stride as f32]);

    // 0 keeps a side as it is, -1 is what remains: [B, A, 5+C, H·W]
    let shape = [0, count as i64, outputs as i64, -1];
    let shape = graph.integers(named("by_anchor"), &shape);
    let p = graph.node("Reshape", named("anchored"), &[head, &shape], vec![]);
    let p = graph.node("Sigmoid", named("sigmoid"), &[&p], vec![]);
    let parts = [("xy", 2), ("wh", 2), ("scores", 1 + scale.nc)];
    let [xy, wh, scores] = graph.split(name, &p, 2, parts);
    let xy = graph.node("Mul", named("offset"), &[&xy, &twice], vec![]);
    let xy = graph.node("Add", named("centre"), &[&xy, &shift], vec![]);
    let wh = graph.node("Mul", named("squared"), &[&wh, &wh], vec![]);
    let wh = graph.node("Mul", named("size"), &[&wh, &sizes], vec![]);
    let axis = vec![Attribute::int("axis", 2)];
    let all = graph.node("Concat", named("columns"), &[&xy, &wh, &scores], axis);
    let order = vec![Attribute::ints("perm", &[0, 1, 3, 2])];
    let all = graph.node("Transpose", named("by_cell"), &[&all], order);
    let shape = graph.integers(named("by_row"), &[0, -1, outputs as i64]);
    graph.node("Reshape", named("rows"), &[&all, &shape], vec![])
}

/// Corners of the cells less half a cell in pixels, `[2, H·W]`, as a constant.
fn known_shift(
    graph: &mut Graph,
    name: String,
    [height, width]: [usize; 2],
    stride: usize,
) -> String {
    let cells = height * width;
    let pixels = |cell: usize| (cell as f32 - 0.5) * stride as f32;
    let x = (0..cells).map(|i| pixels(i % width));
    let y = (0..cells).map(|i| pixels(i / width));
    let values: Vec<f32> = x.chain(y).collect();
    graph.floats(name, &[2, cells], &values)
}

/// The same from the shape that the head has when the graph runs.
fn computed_shift(graph: &mut Graph, name: &str, head: &str, stride: usize) -> String {
    let named = |part: &str| format!("{name}.{part}");
    let shape = graph.node("Shape", named("shape"), &[head], vec![]);
    let mut side = |part: &str, at: i64| {
        let index = graph.integer(named(&format!("{part}.index")), at);
        graph.node("Gather", named(part), &[&shape, &index], vec![])
    };
    let (height, width) = (side("height", 2), side("width", 3));
    let cells = graph.node("Mul", named("cells"), &[&height, &width], vec![]);
    let (zero, one) = (
        graph.integer(named("first"), 0),
        graph.integer(named("next"), 1),
    );
    let cell = graph.node("Range", named("numbers"), &[&zero, &cells, &one], vec![]);
    let first_axis = graph.integers(named("axis"), &[0]);
    let mut row = |part: &str, operation: &str| {
        let at = graph.node(operation, named(part), &[&cell, &width], vec![]);
        let name = named(&format!("{part}.row"));
        graph.node("Unsqueeze", name, &[&at, &first_axis], vec![])
    };
    let (x, y) = (row("x", "Mod"), row("y", "Div"));
    let both = vec![Attribute::int("axis", 0)];
    let corners = graph.node("Concat", named("corners"), &[&x, &y], both);
    let corners = cast(graph, named("corners.float"), &corners, DataType::Float);
    let half = graph.floats(named("half"), &[], &[-0.5]);
    let stride = graph.floats(named("stride"), &[], &[stride as f32]);
    let shift = graph.node("Add", named("shifted"), &[&corners, &half], vec![]);
    graph.node("Mul", named("shift"), &[&shift, &stride], vec![])
}
