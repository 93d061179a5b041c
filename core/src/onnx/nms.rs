//! Non-maximum suppression in the graph: what [`crate::eval::nms`] keeps, in the same order.

use super::graph::Graph;
use super::proto::{Attribute, DataType};
use super::{OnnxNms, boxes};

/// Adds suppression to decoded `rows` `[B, N, 5+C]` and returns the name of the detections `[B, K, 6]`:
/// `x1, y1, x2, y2` in pixels, confidence, class, the most confident first, then rows of zeros. `n` is N where it
/// is known before the graph runs.
pub(super) fn suppress(
    graph: &mut Graph,
    rows: &str,
    nc: usize,
    n: Option<usize>,
    options: &OnnxNms,
) -> String {
    let named = |part: &str| format!("nms.{part}");
    let last = || vec![Attribute::int("axis", 2)];
    let most = graph.integers(named("max_det"), &[options.max_det as i64]);
    let at = |graph: &mut Graph, part: &str, axis: i64| graph.integers(named(part), &[axis]);

    let parts = [("xy", 2), ("wh", 2), ("objectness", 1), ("classes", nc)];
    let [xy, wh, objectness, classes] = graph.split("nms", rows, 2, parts);
    let half = graph.floats(named("half"), &[], &[0.5]);
    let reach = graph.node("Mul", named("reach"), &[&wh, &half], vec![]);
    let low = graph.node("Sub", named("low"), &[&xy, &reach], vec![]);
    let high = graph.node("Add", named("high"), &[&xy, &reach], vec![]);
    let corners = graph.node("Concat", named("corners"), &[&low, &high], last()); // [B, N, 4]

    // The best class of each box, the lower one of equals: [B, N, 1]
    let scores = graph.node("Mul", named("scores"), &[&classes, &objectness], vec![]);
    let one = graph.integers(named("one"), &[1]);
    let [best, class] = ["confidence", "class"].map(named);
    let both = [best.as_str(), &class];
    graph.nodes_of("TopK", &named("best"), &[&scores, &one], both, last());

    // What competes, [B, C, N]: a box in its own class alone, or all boxes as one class.
    let zero = graph.floats(named("zero"), &[], &[0.0]);
    let rivals = if options.agnostic {
        best.clone()
    } else {
        let numbers: Vec<i64> = (0..nc as i64).collect();
        let numbers = graph.integers(named("numbers"), &numbers);
        let own = graph.node("Equal", named("own"), &[&class, &numbers], vec![]);
        graph.node(
            "Where",
            named("own_scores"),
            &[&own, &scores, &zero],
            vec![],
        )
    };
    let order = vec![Attribute::ints("perm", &[0, 2, 1])];
    let rivals = graph.node("Transpose", named("rivals"), &[&rivals], order);
    let iou = graph.floats(named("iou"), &[1], &[options.iou]);
    let conf = graph.floats(named("conf"), &[1], &[options.conf]);
    let inputs = [&corners, &rivals, &most, &iou, &conf].map(String::as_str);
    let kept = graph.node("NonMaxSuppression", named("kept"), &inputs, vec![]); // [D, 3]

    // Confidences of what is kept, zero elsewhere: [B, N]
    let axis = at(graph, "class_axis", 2);
    let flat = graph.node("Squeeze", named("flat"), &[&best, &axis], vec![]);
    let columns = graph.integers(named("columns"), &[0, 2]);
    let along = vec![Attribute::int("axis", 1)];
    let places = graph.node("Gather", named("places"), &[&kept, &columns], along);
    let values = graph.node("GatherND", named("values"), &[&flat, &places], vec![]);
    let nothing = graph.node("Mul", named("nothing"), &[&flat, &zero], vec![]);
    let inputs = [&nothing, &places, &values].map(String::as_str);
    let kept = graph.node("ScatterND", named("kept_scores"), &inputs, vec![]);

    // The K most confident ones: [B, K]
    let k = match n {
        Some(n) => graph.integers(named("k"), &[n.min(options.max_det) as i64]),
        None => {
            let shape = graph.node("Shape", named("shape"), &[&kept], vec![]);
            let index = at(graph, "boxes.index", 1);
            let boxes = graph.node("Gather", named("boxes"), &[&shape, &index], vec![]);
            graph.node("Min", named("k"), &[&boxes, &most], vec![])
        }
    };
    let [top, picks] = ["top", "picks"].map(named);
    let along = vec![Attribute::int("axis", 1)];
    graph.nodes_of(
        "TopK",
        &named("sorted"),
        &[&kept, &k],
        [&top, &picks],
        along,
    );
    let number = boxes::cast(graph, named("class.float"), &class, DataType::Float);
    let inputs = [&corners, &best, &number].map(String::as_str);
    let all = graph.node("Concat", named("all"), &inputs, last()); // [B, N, 6]
    let picks = graph.node("Unsqueeze", named("picks.each"), &[&picks, &axis], vec![]);
    let by_picture = vec![Attribute::int("batch_dims", 1)];
    let chosen = graph.node("GatherND", named("chosen"), &[&all, &picks], by_picture);
    let top = graph.node("Unsqueeze", named("top.each"), &[&top, &axis], vec![]);
    let is_one = graph.node("Greater", named("is_one"), &[&top, &zero], vec![]);
    graph.node(
        "Where",
        named("detections"),
        &[&is_one, &chosen, &zero],
        vec![],
    )
}
