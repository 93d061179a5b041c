use frostline::model::Size;

use super::*;

fn picture(size: Size, width: f64) -> Picture {
    Picture::new(&Network::new(size, 80, 640, 16).unwrap(), width)
}

#[test]
fn blocks_follow_each_other_and_stay_inside_at_every_width() {
    for size in Size::ALL {
        for width in [300.0, 328.0, 600.0, 1149.0, 1150.0, 1300.0, 2400.0] {
            let picture = picture(size, width);
            let flow = picture.flow;
            let mut last = 0.0;
            for block in &picture.blocks {
                let (from, to) = block.along(flow);
                assert!(from > last && to > from, "{size} {width}");
                last = to;
                assert!(block.slot.x >= 0.0 && block.slot.right() <= width);
                assert!(block.rect.right() <= width && block.slot.bottom() <= picture.height);
            }
        }
    }
}

#[test]
fn the_work_along_the_flow_and_the_parameters_across_it_set_the_size() {
    let network = Network::new(Size::N, 80, 640, 16).unwrap();
    let picture = Picture::new(&network, 1300.0);
    let widths: Vec<f64> = picture.blocks.iter().map(|b| b.rect.width).collect();
    let extra = |module: usize| widths[module] - widths[11];
    let ratio = extra(8) / extra(0);
    assert!((ratio - network.share(8) / network.share(0)).abs() < 1e-9);
    for (a, b) in [(11, 0), (0, 1), (1, 3), (3, 8)] {
        assert!(
            picture.blocks[a].rect.height < picture.blocks[b].rect.height,
            "{a} {b}"
        );
    }
}

#[test]
fn fingers_hit_every_block_on_a_phone() {
    let picture = picture(Size::N, 328.0);
    assert_eq!(picture.flow, Flow::Down);
    for block in &picture.blocks {
        assert!(block.slot.height >= 24.0 && block.slot.width >= 240.0);
    }
}

#[test]
fn skips_are_curves_that_do_not_cross() {
    let picture = picture(Size::N, 1300.0);
    let arcs: Vec<_> = picture
        .arcs
        .iter()
        .map(|a| (a.from, a.to, a.side, a.level))
        .collect();
    assert_eq!(
        arcs,
        [
            (4, 16, Side::First, 2),
            (6, 12, Side::First, 1),
            (10, 22, Side::Second, 2),
            (14, 19, Side::Second, 1),
            (17, 24, Side::First, 2),
            (20, 24, Side::First, 1),
        ]
    );
    // Where two meet at Detect, the outer one ends further on.
    let last_x = |arc: &Arc| -> f64 { arc.path().rsplit(' ').nth(1).unwrap().parse().unwrap() };
    assert!(last_x(&picture.arcs[4]) > last_x(&picture.arcs[5]));
}

#[test]
fn a_curve_is_where_its_path_runs() {
    for width in [328.0, 1300.0] {
        let picture = picture(Size::N, width);
        let flow = picture.flow;
        for arc in &picture.arcs {
            let from = picture.blocks[arc.from].along(flow).1;
            let to = picture.blocks[arc.to].along(flow).0;
            for place in [from + 1.0, f64::midpoint(from, to), to - 1.0] {
                let point = arc.at(place).unwrap();
                let along = if flow == Flow::Across {
                    point.x
                } else {
                    point.y
                };
                assert!((along - place).abs() < 0.01, "{arc:?}");
            }
            assert_eq!(arc.at(picture.blocks[arc.from].along(flow).0 - 1.0), None);
        }
    }
}

#[test]
fn the_frost_line_stands_between_blocks() {
    for width in [328.0, 1300.0] {
        let picture = picture(Size::N, width);
        let flow = picture.flow;
        for &(stop, place) in &picture.stops {
            if stop > 0 {
                assert!(place > picture.blocks[stop - 1].along(flow).1);
            }
            assert!(place < picture.blocks[stop].along(flow).0);
        }
        assert_eq!(picture.place(11), picture.place(13));
        assert_eq!(picture.place(99), picture.place(24));
    }
}

#[test]
fn bands_name_the_size_of_the_outputs() {
    let labels: Vec<String> = picture(Size::S, 1300.0)
        .bands
        .into_iter()
        .map(|b| b.label)
        .collect();
    assert_eq!(
        labels,
        [
            "320×320", "160×160", "80×80", "40×40", "20×20", "40×40", "80×80", "40×40", "20×20", ""
        ]
    );
    let shores = picture(Size::S, 1300.0).shores;
    assert_eq!(shores.len(), 3);
    assert!(shores[0].rect.right() < shores[1].rect.x);
}
