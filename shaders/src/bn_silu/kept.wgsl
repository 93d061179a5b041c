
// Kept from the forward pass for the backward one: [4, channels].
fn kept(quad: u32) -> Channel {
    return Channel(
        channels[quad],
        channels[quad + sizes.quads],
        channels[quad + 2u * sizes.quads],
        channels[quad + 3u * sizes.quads],
    );
}

// The gradient before SiLU from the one behind it.
fn before_silu(x: vec4<f32>, gradient: vec4<f32>, channel: Channel) -> vec4<f32> {
    return gradient * silu_slope((x - channel.mean) * channel.scale + channel.bias);
}
