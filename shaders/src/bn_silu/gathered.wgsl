
// What the chunks of a column left in `sums`, added up. Every thread of the workgroup must call it.
fn gathered(at: Place, thread: u32) -> Pair {
    var own = Pair(vec4<f32>(), vec4<f32>());
    if at.first < at.step {
        for (var chunk = at.first; chunk < sizes.chunks; chunk += at.step) {
            let base = 2u * chunk * sizes.quads + at.quad;
            own.plain += sums[base];
            own.weighted += sums[base + sizes.quads];
        }
    }
    return total(thread, own);
}
