// A picture of RGBA bytes becomes one picture of the network's input: resized (bilinear, in the fixed
// point of the field's picture library), padded with grey, scaled to 0..=1, one plane per channel.

struct Letterbox {
    // Sizes are [w, h] in pixels.
    source: vec2<u32>,
    resized: vec2<u32>,
    // Padding on the left and at the top.
    before: vec2<u32>,
    out: vec2<u32>,
    // Grey of the padding, a byte.
    fill: u32,
    // Which picture of the batch to write.
    picture: u32,
}

// A pixel per word, red in the lowest byte, row after row. Alpha is not looked at.
@group(0) @binding(0) var<storage, read_write> rgba: array<u32>;
// Two source positions and their weights (of 2048): for every column of `resized`, then for every row.
@group(0) @binding(1) var<storage, read_write> taps: array<vec4<i32>>;
// [B, 3, H, W]
@group(0) @binding(2) var<storage, read_write> planes: array<f32>;
@group(0) @binding(3) var<uniform> letterbox: Letterbox;

fn pixel(x: i32, y: i32) -> vec3<i32> {
    let word = rgba[u32(y) * letterbox.source.x + u32(x)];
    return vec3<i32>((vec3<u32>(word) >> vec3<u32>(0u, 8u, 16u)) & vec3<u32>(0xffu));
}

fn across(column: vec4<i32>, y: i32) -> vec3<i32> {
    return pixel(column.x, y) * column.z + pixel(column.y, y) * column.w;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let out = letterbox.out;
    if any(id.xy >= out) {
        return;
    }
    var rgb = vec3<i32>(i32(letterbox.fill));
    // Left of and above the picture this wraps around and is beyond it too.
    let at = id.xy - letterbox.before;
    if all(at < letterbox.resized) {
        let column = taps[at.x];
        let row = taps[letterbox.resized.x + at.y];
        // The shifts keep each product within 32 bits; their truncation is part of the arithmetic.
        let upper = ((across(column, row.x) >> vec3<u32>(4u)) * row.z) >> vec3<u32>(16u);
        let lower = ((across(column, row.y) >> vec3<u32>(4u)) * row.w) >> vec3<u32>(16u);
        rgb = (upper + lower + 2) >> vec3<u32>(2u);
    }
    let plane = out.x * out.y;
    let first = letterbox.picture * 3u * plane + id.y * out.x + id.x;
    let values = vec3<f32>(rgb) / 255.0;
    planes[first] = values.r;
    planes[first + plane] = values.g;
    planes[first + 2u * plane] = values.b;
}
