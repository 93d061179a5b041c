use super::super::architecture::Size;
use super::*;
use proptest::prelude::*;

/// FACTS 1 as a yaml file states it.
const TABLE: &str = "
nc: 80  # classes
depth_multiple: 0.33
width_multiple: 0.25
anchors:
  - [10,13, 16,30, 33,23]
  - [30,61, 62,45, 59,119]
  - [116,90, 156,198, 373,326]
backbone:
  [[-1, 1, Conv, [64, 6, 2, 2]],
   [-1, 1, Conv, [128, 3, 2]],
   [-1, 3, C3, [128]],
   [-1, 1, Conv, [256, 3, 2]],
   [-1, 6, C3, [256]],
   [-1, 1, Conv, [512, 3, 2]],
   [-1, 9, C3, [512]],
   [-1, 1, Conv, [1024, 3, 2]],
   [-1, 3, C3, [1024]],
   [-1, 1, SPPF, [1024, 5]],
  ]
head:
  [[-1, 1, Conv, [512, 1, 1]],
   [-1, 1, nn.Upsample, [None, 2, 'nearest']],
   [[-1, 6], 1, Concat, [1]],
   [-1, 3, C3, [512, False]],
   [-1, 1, Conv, [256, 1, 1]],
   [-1, 1, nn.Upsample, [null, 2, \"nearest\"]],
   [[-1, 4], 1, Concat, [1]],
   [-1, 3, C3, [256, False]],
   [-1, 1, Conv, [256, 3, 2]],
   [[-1, 14], 1, Concat, [1]],
   [-1, 3, C3, [512, False]],
   [-1, 1, Conv, [512, 3, 2]],
   [[-1, 10], 1, Concat, [1]],
   [-1, 3, C3, [1024, False]],
   [[17, 20, 23], 1, Detect, [nc, anchors]],
  ]
";

fn read(text: &str) -> Result<Architecture> {
    Architecture::from_yaml(text, "net.yaml", None)
}

/// The error after one replacement in the table.
fn error(from: &str, to: &str) -> String {
    assert!(TABLE.contains(from), "{from}");
    read(&TABLE.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_table_as_yaml_is_the_built_in_architecture() {
    assert_eq!(read(TABLE).unwrap(), Architecture::yolov5(Size::N, 80));
    let m = TABLE.replace("0.33", "0.67").replace("0.25", "0.75");
    assert_eq!(read(&m).unwrap(), Architecture::yolov5(Size::M, 80));
}

#[test]
fn the_number_of_classes_can_be_replaced_or_stated_in_the_detect_row() {
    let ours = Architecture::from_yaml(TABLE, "net.yaml", Some(3)).unwrap();
    assert_eq!(ours, Architecture::yolov5(Size::N, 3));
    let stated = TABLE.replace("[nc, anchors]", "[7, anchors]");
    assert_eq!(read(&stated).unwrap().nc, 7);
    let missing = TABLE.replace("nc: 80", "x: 80");
    assert!(
        read(&missing)
            .unwrap_err()
            .to_string()
            .contains("no field \"nc\"")
    );
    assert_eq!(
        Architecture::from_yaml(&missing, "", Some(2)).unwrap().nc,
        2
    );
}

#[test]
fn other_numbers_of_rows_and_scales_work() {
    let text = "
nc: 2
depth_multiple: 1
width_multiple: 0.5
anchors: [[10,13, 16,30], [40,40, 62,45]]
backbone: [[-1, 1, Conv, [32, 3, 2]], [-1, 1, Conv, [64, 3, 2]], [-1, 2, C3, [64]], [-1, 1, Conv, [64, 3, 2]]]
head: [[[2, 3], 1, Detect, [nc, anchors]]]
";
    let ours = read(text).unwrap();
    assert_eq!((ours.modules.len(), ours.backbone), (5, 4));
    assert_eq!(ours.strides(), [4, 8]);
    assert_eq!(ours.saved(), [2, 3]);
    assert_eq!(ours.detect_channels(), 14);
    let json = serde_json::to_value(&ours).unwrap();
    assert_eq!(Architecture::from_value(&json, "", None).unwrap(), ours);
}

#[test]
fn anchors_against_the_strides_are_turned_round() {
    let turned = TABLE.replace("[17, 20, 23], 1, Detect", "[23, 20, 17], 1, Detect");
    let ours = read(&turned).unwrap();
    assert_eq!(ours.strides(), [32, 16, 8]);
    assert_eq!(ours.anchors[0][0], [116., 90.]);
}

#[test]
fn unsupported_kinds_and_arguments_name_their_row() {
    let text = error("3, C3, [128]", "3, BottleneckCSP, [128]");
    assert!(
        text.starts_with("net.yaml: backbone row 3 (module 2): found kind \"BottleneckCSP\""),
        "{text}"
    );
    let text = error("[512, 1, 1]", "[512, 1, 1, null, 2]");
    assert!(
        text.contains("head row 1 (module 10): found groups 2"),
        "{text}"
    );
    assert!(error("'nearest'", "'bilinear'").contains("mode \"bilinear\""));
    assert!(error("[256, False]", "[256, maybe]").contains("expected True or False"));
    assert!(error("SPPF, [1024, 5]", "SPPF, [1024, 4]").contains("odd kernel"));
    assert!(error("Concat, [1]", "Concat, [2]").contains("dimension 1"));
    assert!(error("1, Conv, [128, 3, 2]", "6, Conv, [128, 3, 2]").contains("only C3 repeats"));
}

#[test]
fn inputs_that_do_not_exist_or_do_not_fit_are_errors() {
    assert!(error("[-1, 6]", "[-1, 12]").contains("from 12"));
    assert!(error("[-1, 6]", "[-1, -13]").contains("from -13"));
    assert!(error("[-1, 6]", "[-1, 4]").contains("inputs of stride 16 and 8"));
    assert!(
        error(
            "[-1, 3, C3, [512, False]]",
            "[[-1, 6], 3, C3, [512, False]]"
        )
        .contains("one input")
    );
    assert!(error("[-1, 1, Conv, [64", "[-2, 1, Conv, [64").contains("the image"));
    assert!(error("[64, 6, 2, 2]", "[64, 6, 2]").contains("input size / stride"));
}

#[test]
fn anchors_by_count_are_explained() {
    let start = TABLE.find("anchors:").unwrap();
    let end = TABLE.find("backbone:").unwrap();
    let text = TABLE.replace(&TABLE[start..end], "anchors: 3\n");
    let text = read(&text).unwrap_err().to_string();
    assert!(
        text.contains("anchors: found 3, a count of anchors"),
        "{text}"
    );
    assert!(error("[10,13, 16,30, 33,23]", "[10,13, 16,30]").contains("equally many"));
    assert!(error("[10,13, 16", "[-10,13, 16").contains("above 0"));
    assert!(error("  - [30,61, 62,45, 59,119]\n", "").contains("3 lists of anchors"));
}

#[test]
fn detect_must_be_the_last_row_and_the_only_one() {
    let row = "[[17, 20, 23], 1, Detect, [nc, anchors]],";
    assert!(error(row, "").contains("no Detect row"));
    assert!(
        error(
            row,
            "[[17, 20, 23], 1, Detect, [nc, anchors]], [[17, 20, 23], 1, Detect, [nc, anchors]],"
        )
        .contains("exactly one")
    );
}

#[test]
fn hostile_sizes_are_errors() {
    assert!(error("width_multiple: 0.25", "width_multiple: 1e9").contains("width_multiple"));
    assert!(error("width_multiple: 0.25", "width_multiple: .nan").contains("width_multiple"));
    assert!(error("nc: 80", "nc: 99999999999").contains("classes"));
    assert!(error("nc: 80", "nc: 0").contains("classes"));
    assert!(error("[64, 6, 2, 2]", "[64, 6, 2, 18446744073709551615]").contains("padding"));
    assert!(error("9, C3", "900, C3").contains("repeats"));
    assert!(error("[1024, 3, 2]", "[99999, 3, 2]").contains("channels"));
}

#[test]
fn what_is_no_dictionary_is_an_error() {
    for text in ["", "3", "[1, 2]", "nc: [", "\u{0}", "nc: 80"] {
        assert!(read(text).is_err(), "{text:?}");
    }
}

proptest! {
    #[test]
    fn mutated_files_never_panic(at in 0..TABLE.len(), len in 0..12usize, new in "[-0-9a-zA-Z\\[\\],: ]{0,8}") {
        let end = (at + len).min(TABLE.len());
        let text = format!("{}{new}{}", &TABLE[..at], &TABLE[end..]);
        if let Ok(architecture) = read(&text) {
            let _ = architecture.state();
            let _ = architecture.layers();
            let side = architecture.max_stride();
            prop_assert!(architecture.flops(side, side).is_ok());
            let again = Architecture::from_value(&architecture.to_value(), "", None).unwrap();
            prop_assert_eq!(again, architecture);
        }
    }
}
