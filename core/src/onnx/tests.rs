use std::collections::HashSet;

use burn::tensor::{Device, read_sync};

use super::*;
use crate::model::{Architecture, Size, Yolov5};

fn options() -> OnnxOptions {
    OnnxOptions {
        imgsz: [64, 96],
        batch: 2,
        dynamic: false,
        half: false,
        nms: None,
        opset: OPSET,
    }
}

fn nms() -> Option<OnnxNms> {
    Some(OnnxNms {
        conf: 0.25,
        iou: 0.45,
        agnostic: false,
        max_det: 20,
    })
}

fn folded() -> Folded {
    Yolov5::new(Architecture::yolov5(Size::N, 3), 0, &Device::flex()).fold()
}

fn written(options: &OnnxOptions) -> GraphProto {
    read_sync(graph(&folded(), options)).expect("a graph")
}

#[test]
fn every_node_reads_what_stands_before_it_and_every_constant_is_read() {
    for (dynamic, half, nms) in [
        (false, false, None),
        (true, true, None),
        (false, true, nms()),
        (true, false, nms()),
    ] {
        let graph = written(&OnnxOptions {
            dynamic,
            half,
            nms,
            ..options()
        });
        let constants = graph.initializer.iter().map(|tensor| tensor.name.as_str());
        let mut known: HashSet<&str> = constants.chain([INPUT]).collect();
        assert_eq!(known.len(), graph.initializer.len() + 1, "names occur once");
        let mut read = HashSet::new();
        for node in &graph.node {
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                assert!(known.contains(input.as_str()), "{}: {input}", node.name);
                read.insert(input.as_str());
            }
            for output in &node.output {
                assert!(known.insert(output), "{output} occurs twice");
            }
        }
        let unread: Vec<_> = known.difference(&read).copied().collect();
        assert_eq!(unread, [OUTPUT]);
    }
}

#[test]
fn shapes_are_numbers_where_they_are_fixed_and_names_where_they_are_not() {
    let value = |values: &[usize]| values.iter().map(|&v| Extent::Value(v)).collect::<Vec<_>>();
    let graph = written(&options());
    assert_eq!(graph.input.shape, value(&[2, 3, 64, 96]));
    // 8·12 + 4·6 + 2·3 cells of three anchors.
    assert_eq!(graph.output.shape, value(&[2, 378, 8]));
    let graph = written(&OnnxOptions {
        nms: nms(),
        ..options()
    });
    assert_eq!(graph.output.shape, value(&[2, 20, 6]));
    let graph = written(&OnnxOptions {
        dynamic: true,
        ..options()
    });
    let name = Extent::Name;
    let wanted = [
        name("batch"),
        Extent::Value(3),
        name("height"),
        name("width"),
    ];
    assert_eq!(graph.input.shape, wanted);
    assert_eq!(graph.output.shape[2], Extent::Value(8));
}

#[test]
fn weights_are_the_folded_ones_in_the_precision_asked_for() {
    let model = folded();
    let folded = read_sync(model.convolutions()).expect("weights");
    for (half, kind, width) in [(false, DataType::Float, 4), (true, DataType::Float16, 2)] {
        let graph = written(&OnnxOptions { half, ..options() });
        let find = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name);
        assert_eq!(folded.len(), 60);
        for (prefix, [weight, bias]) in &folded {
            for (part, values) in [("weight", weight), ("bias", bias)] {
                let tensor = find(&format!("{prefix}.{part}")).expect(prefix);
                assert_eq!(tensor.data_type, kind);
                assert_eq!(tensor.raw_data.len(), values.num_elements() * width);
            }
        }
    }
}

#[test]
fn a_file_says_what_it_holds() {
    let names = ["a", "b \"é\"", "c"].map(str::to_owned);
    let bytes = read_sync(write(&folded(), &names, &options())).expect("a file");
    let text = String::from_utf8_lossy(&bytes);
    for entry in [r#"["a","b \"é\"","c"]"#, "[64, 96]", "output0", "frostline"] {
        assert!(text.contains(entry), "{entry}");
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let refused = |change: &dyn Fn(&mut OnnxOptions)| {
        let mut options = options();
        change(&mut options);
        read_sync(write(&folded(), &[], &options))
            .expect_err("refused")
            .to_string()
    };
    assert!(refused(&|options| options.imgsz = [60, 64]).contains("multiples of the stride 32"));
    assert!(refused(&|options| options.batch = 0).contains("batch"));
    assert!(refused(&|options| options.opset = 9).contains("13 to 21"));
}
