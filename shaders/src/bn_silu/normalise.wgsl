
// The batch's moments from the sums of its chunks, and silu(norm(x)) with them.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> mean: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> variance: array<vec4<f32>>;
// [4, channels]
@group(0) @binding(7) var<storage, read_write> channels: array<vec4<f32>>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = place(group, thread);
    let all = gathered(at, thread);
    let rows = f32(sizes.rows);
    let distance = all.plain / rows;
    let batch_mean = x[at.quad] + distance;
    let batch_variance = max(all.weighted / rows - distance * distance, vec4<f32>());
    let channel = channel_of(batch_mean, batch_variance, weight[at.quad], bias[at.quad]);
    for (var row = at.begin; row < at.end; row += at.step) {
        let index = row * sizes.quads + at.quad;
        out[index] = silu((x[index] - channel.mean) * channel.scale + channel.bias);
    }
    if at.speaks && group.x == 0u {
        mean[at.quad] = batch_mean;
        variance[at.quad] = batch_variance;
        channels[at.quad] = channel.mean;
        channels[at.quad + sizes.quads] = channel.inverse;
        channels[at.quad + 2u * sizes.quads] = channel.scale;
        channels[at.quad + 3u * sizes.quads] = channel.bias;
    }
}
