
// Sums of x and of x squared, per chunk, both less the channel's first value, which is as good as a mean
// against cancellation.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
// [chunks, 2, channels]
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(2) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = place(group, thread);
    let origin = x[at.quad];
    var own = Pair(vec4<f32>(), vec4<f32>());
    for (var row = at.begin; row < at.end; row += at.step) {
        let distance = x[row * sizes.quads + at.quad] - origin;
        own.plain += distance;
        own.weighted += distance * distance;
    }
    let all = total(thread, own);
    if at.speaks {
        let to = 2u * group.x * sizes.quads + at.quad;
        sums[to] = all.plain;
        sums[to + sizes.quads] = all.weighted;
    }
}
