use super::super::architecture::{Size, tests::all};
use super::*;

#[test]
fn gflops_equal_the_reference_summary() {
    for (golden, ours) in all() {
        let expected = golden["model_info_return"][3].as_f64().unwrap();
        let gflops = ours.flops(640, 640).unwrap() as f64 / 1e9;
        // The golden value was computed in floating point from the same integers.
        assert!(
            (gflops / expected - 1.0).abs() < 1e-12,
            "{gflops} {expected}"
        );
    }
}

#[test]
fn output_shapes_follow_the_strides() {
    let costs = Architecture::yolov5(Size::N, 80)
        .module_costs(320, 640)
        .unwrap();
    assert_eq!(costs[0].outputs, [[16, 160, 320]]);
    assert_eq!(costs[9].outputs, [[256, 10, 20]]);
    assert_eq!(costs[12].outputs, [[256, 20, 40]]);
    assert_eq!(
        costs[24].outputs,
        [[255, 40, 80], [255, 20, 40], [255, 10, 20]]
    );
    assert_eq!(costs[0].output_bytes, 16 * 160 * 320 * 4);
}

/// FACTS 8, MiB that autograd saved for n and s at 320 px, batch 4, nothing frozen; measured to
/// three digits.
#[test]
fn activation_bytes_equal_what_the_reference_saves() {
    for (size, mib) in [(Size::N, 147.0), (Size::S, 290.0)] {
        let costs = Architecture::yolov5(size, 80)
            .module_costs(320, 320)
            .unwrap();
        let bytes: u64 = costs.iter().map(|c| c.activation_bytes * 4).sum();
        let ours = bytes as f64 / f64::from(1 << 20);
        assert!((ours / mib - 1.0).abs() < 5e-3, "{size}: {ours} {mib}");
    }
}

#[test]
fn image_sides_must_fit_the_stride() {
    let ours = Architecture::yolov5(Size::N, 80);
    for side in [0, 1, 300, 16_416, usize::MAX] {
        let error = ours.flops(side, 640).unwrap_err().to_string();
        assert!(error.contains("multiple of 32"), "{error}");
    }
    assert!(
        ours.flops(300, 640)
            .unwrap_err()
            .to_string()
            .contains("Take 288")
    );
    assert!(ours.flops(32, MAX_IMAGE_SIDE).is_ok());
}
