
// The gradient of x alone, with constant moments.

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> channels: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> x_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let at = place(group, thread);
    let channel = kept(at.quad);
    for (var row = at.begin; row < at.end; row += at.step) {
        let index = row * sizes.quads + at.quad;
        x_gradient[index] = channel.scale * before_silu(x[index], gradient[index], channel);
    }
}
