
// The gradients of x, weight and bias from the sums of the chunks.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> channels: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> x_gradient: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> weight_gradient: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> bias_gradient: array<vec4<f32>>;
@group(0) @binding(7) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = place(group, thread);
    let channel = kept(at.quad);
    let all = gathered(at, thread);
    // The batch's own moments moved with x.
    let share = select(-channel.scale / f32(sizes.rows), vec4<f32>(), sizes.constant != 0u);
    let offset = share * all.plain;
    let slope = share * channel.inverse * channel.inverse * all.weighted;
    for (var row = at.begin; row < at.end; row += at.step) {
        let index = row * sizes.quads + at.quad;
        let before = before_silu(x[index], gradient[index], channel);
        x_gradient[index] = channel.scale * before + slope * (x[index] - channel.mean) + offset;
    }
    if at.speaks && group.x == 0u {
        weight_gradient[at.quad] = channel.inverse * all.weighted;
        bias_gradient[at.quad] = all.plain;
    }
}
