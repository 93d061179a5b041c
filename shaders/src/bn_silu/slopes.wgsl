
// Sums of the gradient before SiLU, plain and weighted by x - mean, per chunk.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> channels: array<vec4<f32>>;
// The gradient of the output.
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4<f32>>;
// [chunks, 2, channels]
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = place(group, thread);
    let channel = kept(at.quad);
    var own = Pair(vec4<f32>(), vec4<f32>());
    for (var row = at.begin; row < at.end; row += at.step) {
        let index = row * sizes.quads + at.quad;
        let before = before_silu(x[index], gradient[index], channel);
        own.plain += before;
        own.weighted += before * (x[index] - channel.mean);
    }
    let all = total(thread, own);
    if at.speaks {
        let to = 2u * group.x * sizes.quads + at.quad;
        sums[to] = all.plain;
        sums[to + sizes.quads] = all.weighted;
    }
}
