// Bytes of a batch of pictures, a plane per channel, become the network's input: 0..=1, channels last, as
// the first convolution reads them.

struct Pixels {
    // Fours of pixels in a plane.
    fours: u32,
}

// [B, 3, H, W], four bytes a word, the first in the lowest byte.
@group(0) @binding(0) var<storage, read_write> planes: array<u32>;
// [B, H, W, 3]
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> pixels: Pixels;

fn channel(plane: u32, four: u32) -> vec4<f32> {
    let word = vec4<u32>(planes[plane * pixels.fours + four]);
    return vec4<f32>((word >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu)) / 255.0;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let four = id.x;
    let picture = id.y;
    if four >= pixels.fours {
        return;
    }
    let r = channel(3u * picture, four);
    let g = channel(3u * picture + 1u, four);
    let b = channel(3u * picture + 2u, four);
    let to = 3u * (picture * pixels.fours + four);
    out[to] = vec4<f32>(r.x, g.x, b.x, r.y);
    out[to + 1u] = vec4<f32>(g.y, b.y, r.z, g.z);
    out[to + 2u] = vec4<f32>(b.z, r.w, g.w, b.w);
}
