// The raw output of one scale becomes boxes, and only those that a threshold lets through are kept: what
// goes back to the CPU is some kilobytes instead of every row.

struct Candidates {
    // Cells of a row, and of a picture.
    width: u32,
    cells: u32,
    anchors: u32,
    // Values of a box: 4 of place, objectness, one per class.
    outputs: u32,
    // Number of the scale's first row among the rows of all scales.
    first: u32,
    // Candidates of a picture at most.
    capacity: u32,
    // Pixels of a cell.
    stride: f32,
    confidence: f32,
    // Sizes in pixels.
    sizes: array<vec4<f32>, 8>,
}

const RECORD: u32 = 7u;

// [B, H, W, A, outputs]
@group(0) @binding(0) var<storage, read_write> head: array<f32>;
// Per picture how many there are, then 7 words each for as many as there is room for: row, class and, as
// floats, centre x and y, width, height, confidence.
@group(0) @binding(1) var<storage, read_write> found: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> scale: Candidates;

fn sigmoid(value: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-value, 80.0)));
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let box = id.x;
    let picture = id.y;
    if box >= scale.cells * scale.anchors {
        return;
    }
    let base = (picture * scale.cells * scale.anchors + box) * scale.outputs;
    let objectness = sigmoid(head[base + 4u]);
    // Also when it is not a number.
    if !(objectness > scale.confidence) {
        return;
    }
    var best = 0u;
    var confidence = -1.0;
    for (var output = 5u; output < scale.outputs; output += 1u) {
        let candidate = sigmoid(head[base + output]) * objectness;
        if candidate > confidence {
            confidence = candidate;
            best = output - 5u;
        }
    }
    if !(confidence > scale.confidence) {
        return;
    }
    let to = picture * (1u + RECORD * scale.capacity);
    let slot = atomicAdd(&found[to], 1u);
    if slot >= scale.capacity {
        return;
    }
    let cell = box / scale.anchors;
    let anchor = box % scale.anchors;
    let corner = vec2<f32>(f32(cell % scale.width), f32(cell / scale.width)) - 0.5;
    let centre = 2.0 * vec2<f32>(sigmoid(head[base]), sigmoid(head[base + 1u])) + corner;
    let half = vec2<f32>(sigmoid(head[base + 2u]), sigmoid(head[base + 3u]));
    let xy = centre * scale.stride;
    let wh = 4.0 * half * half * scale.sizes[anchor].xy;
    let record = to + 1u + RECORD * slot;
    atomicStore(&found[record], scale.first + anchor * scale.cells + cell);
    atomicStore(&found[record + 1u], best);
    atomicStore(&found[record + 2u], bitcast<u32>(xy.x));
    atomicStore(&found[record + 3u], bitcast<u32>(xy.y));
    atomicStore(&found[record + 4u], bitcast<u32>(wh.x));
    atomicStore(&found[record + 5u], bitcast<u32>(wh.y));
    atomicStore(&found[record + 6u], bitcast<u32>(confidence));
}
