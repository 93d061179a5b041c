// Feature planes become pictures: every plane between its own least and greatest value, on a scale of
// colours whose lightness rises evenly, from night blue to white frost.

struct ColourMap {
    // Values of a plane.
    size: u32,
}

// [planes, size]
@group(0) @binding(0) var<storage, read_write> planes: array<f32>;
// A pixel per word, red in the lowest byte, opaque.
@group(0) @binding(1) var<storage, read_write> rgba: array<u32>;
@group(0) @binding(2) var<uniform> map: ColourMap;

const THREADS: u32 = 256u;
var<workgroup> least: array<f32, 256>;
var<workgroup> greatest: array<f32, 256>;

fn transfer(linear: f32) -> u32 {
    let value = clamp(linear, 0.0, 1.0);
    let curved = select(1.055 * pow(value, 1.0 / 2.4) - 0.055, 12.92 * value, value <= 0.0031308);
    return u32(255.0 * curved + 0.5);
}

// From OKLab (Ottosson, "A perceptual color space for image processing", 2020) to sRGB.
fn frost(t: f32) -> u32 {
    let light = 0.16 + 0.82 * t;
    let a = (1.0 - t) * (0.02 - 0.17 * t);
    let b = (t - 1.0) * (0.07 + 0.3 * t);
    let roots = vec3<f32>(
        light + 0.3963377774 * a + 0.2158037573 * b,
        light - 0.1055613458 * a - 0.0638541728 * b,
        light - 0.0894841775 * a - 1.291485548 * b,
    );
    let lms = roots * roots * roots;
    let r = transfer(dot(lms, vec3<f32>(4.0767416621, -3.3077115913, 0.2309699292)));
    let g = transfer(dot(lms, vec3<f32>(-1.2684380046, 2.6097574011, -0.3413193965)));
    let blue = transfer(dot(lms, vec3<f32>(-0.0041960863, -0.7034186147, 1.707614701)));
    return r | (g << 8u) | (blue << 16u) | 0xff000000u;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let first = group.x * map.size;
    var low = planes[first];
    var high = low;
    for (var i = thread; i < map.size; i += THREADS) {
        low = min(low, planes[first + i]);
        high = max(high, planes[first + i]);
    }
    least[thread] = low;
    greatest[thread] = high;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half {
            least[thread] = min(least[thread], least[thread + half]);
            greatest[thread] = max(greatest[thread], greatest[thread + half]);
        }
    }
    workgroupBarrier();
    low = least[0];
    let range = greatest[0] - low;
    for (var i = thread; i < map.size; i += THREADS) {
        // A plane of one value is all lowest colour.
        let t = select(0.0, (planes[first + i] - low) / range, range > 0.0);
        rgba[first + i] = frost(clamp(t, 0.0, 1.0));
    }
}
