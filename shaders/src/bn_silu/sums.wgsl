
struct Pair {
    plain: vec4<f32>,
    weighted: vec4<f32>,
}

var<workgroup> plain_sums: array<vec4<f32>, 256>;
var<workgroup> weighted_sums: array<vec4<f32>, 256>;

// The sum over the threads of a quad, for all of them. Every thread of the workgroup must call it.
fn total(thread: u32, own: Pair) -> Pair {
    plain_sums[thread] = own.plain;
    weighted_sums[thread] = own.weighted;
    var left = THREADS / sizes.lanes;
    while left > 1u {
        let half = (left + 1u) / 2u;
        workgroupBarrier();
        if thread / sizes.lanes + half < left {
            let other = thread + half * sizes.lanes;
            plain_sums[thread] += plain_sums[other];
            weighted_sums[thread] += weighted_sums[other];
        }
        left = half;
    }
    workgroupBarrier();
    let lane = thread % sizes.lanes;
    return Pair(plain_sums[lane], weighted_sums[lane]);
}
