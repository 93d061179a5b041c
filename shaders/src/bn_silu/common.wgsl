// BatchNorm and SiLU over [rows, channels], channels last: four channels make a quad. A workgroup has
// a column of `lanes` quads and a chunk of rows; its threads walk down the rows side by side.

struct Sizes {
    rows: u32,
    // Quads of a row.
    quads: u32,
    // Quads of a workgroup.
    lanes: u32,
    // Rows of a workgroup.
    chunk: u32,
    // Workgroups down a column.
    chunks: u32,
    // Whether the statistics are constants.
    constant: u32,
    epsilon: f32,
}

const THREADS: u32 = 256u;

struct Place {
    // This thread's quad of a row, below `quads` even where there is no work.
    quad: u32,
    // Its first row among those that the workgroup's threads cover at once, and how many these are.
    first: u32,
    step: u32,
    // The rows of its chunk that it walks.
    begin: u32,
    end: u32,
    // Whether it speaks for its quad.
    speaks: bool,
}

fn place(group: vec3<u32>, thread: u32) -> Place {
    let step = THREADS / sizes.lanes;
    let first = thread / sizes.lanes;
    let quad = group.y * sizes.lanes + thread % sizes.lanes;
    let works = first < step && quad < sizes.quads;
    let end = min((group.x + 1u) * sizes.chunk, sizes.rows);
    return Place(
        min(quad, sizes.quads - 1u),
        first,
        step,
        select(end, group.x * sizes.chunk + first, works),
        end,
        works && first == 0u,
    );
}

// Numbers of a channel: (x - mean) * scale + bias is what SiLU is applied to.
struct Channel {
    mean: vec4<f32>,
    // 1 / sqrt(variance + epsilon)
    inverse: vec4<f32>,
    scale: vec4<f32>,
    bias: vec4<f32>,
}

fn channel_of(mean: vec4<f32>, variance: vec4<f32>, weight: vec4<f32>, bias: vec4<f32>) -> Channel {
    let inverse = 1.0 / sqrt(variance + sizes.epsilon);
    return Channel(mean, inverse, weight * inverse, bias);
}

// Far from zero the exponential would leave single precision, where WGSL promises nothing.
fn sigmoid(u: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(min(-u, vec4<f32>(80.0))));
}

fn silu(u: vec4<f32>) -> vec4<f32> {
    return u * sigmoid(u);
}

fn silu_slope(u: vec4<f32>) -> vec4<f32> {
    let s = sigmoid(u);
    return s * (1.0 + u * (1.0 - s));
}
