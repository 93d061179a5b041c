use super::*;

const SIZE: [u32; 2] = [200, 100];

fn labelled(class: usize) -> LabelBox {
    LabelBox::between(class, [20.0, 10.0], [60.0, 50.0], SIZE)
}

fn new(name: &str, classes: &[usize]) -> NewPicture {
    NewPicture {
        name: name.to_owned(),
        split: None,
        size: SIZE,
        boxes: classes.iter().map(|class| labelled(*class)).collect(),
    }
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn set() -> DataSet {
    let mut set = DataSet::default();
    let pictures = (0..8)
        .map(|index| new(&format!("{index}.jpg"), &[index % 2]))
        .collect();
    set.add(&names(&["owl", "whale"]), pictures);
    set
}

#[test]
fn pictures_come_in_with_classes_by_name_and_names_of_their_own() {
    let mut set = set();
    assert_eq!(set.count(), Count { train: 6, val: 2 });
    let (ids, touched) = set.add(
        &names(&["whale", "carrot"]),
        vec![new("0.jpg", &[0, 1, 7]), new("0.jpg", &[])],
    );
    assert_eq!(set.classes(), ["owl", "whale", "carrot"]);
    assert!(touched.classes && touched.pictures == ids);
    let found: Vec<(&str, Vec<usize>)> = ids
        .iter()
        .map(|id| set.picture(*id).unwrap())
        .map(|picture| {
            (
                &*picture.name,
                picture.boxes.iter().map(|found| found.class).collect(),
            )
        })
        .collect();
    // The eighth class was none of that set; the second one is for validation, where the name is free.
    assert_eq!(found, [("0 (2).jpg", vec![1, 2]), ("0 (3).jpg", vec![])]);
    set.set_split(&ids, Use::Val);
    let names: Vec<&str> = ids
        .iter()
        .map(|id| &*set.picture(*id).unwrap().name)
        .collect();
    assert_eq!(names, ["0 (2).jpg", "0 (3).jpg"]);
    let first = set.pictures().next().unwrap().id;
    set.set_split(&[first], Use::Val);
    assert_eq!(set.picture(first).unwrap().name, "0.jpg");
    set.add(
        &[],
        vec![NewPicture {
            split: Some(Use::Val),
            ..new("0.jpg", &[])
        }],
    );
    assert_eq!(set.pictures().next_back().unwrap().name, "0 (4).jpg");
    let owls = set.boxes_by_class()[0];
    assert_eq!(owls.train + owls.val, 4);
}

#[test]
fn a_change_is_taken_back_and_done_again() {
    let mut set = set();
    let first = set.pictures().next().unwrap().clone();
    set.edit(first.id, None, |boxes| boxes.push(labelled(1)));
    assert_eq!(set.picture(first.id).unwrap().boxes.len(), 2);
    assert_eq!(set.undo().pictures, [first.id]);
    assert_eq!(set.picture(first.id), Some(&first));
    set.redo();
    assert_eq!(set.picture(first.id).unwrap().boxes.len(), 2);
    set.remove(&[first.id]);
    assert_eq!(set.picture(first.id), None);
    set.undo();
    set.undo();
    assert_eq!(set.picture(first.id), Some(&first));
    assert_eq!(set.can(), (true, true));
    // Something new ends what could be done again.
    set.set_split(&[first.id], Use::Val);
    assert_eq!(set.can(), (true, false));
    while set.can().0 {
        set.undo();
    }
    assert!(set.is_empty() && set.classes().is_empty());
    assert_eq!(set.undo(), Touched::default());
}

#[test]
fn the_steps_of_a_held_key_are_one_change() {
    let mut set = set();
    let before = set.pictures().next().unwrap().clone();
    for run in [1, 1, 1, 2] {
        set.edit(before.id, Some(run), |boxes| {
            boxes[0] = boxes[0].moved([5.0, 0.0], SIZE)
        });
    }
    let left = |set: &DataSet| set.picture(before.id).unwrap().boxes[0].corners(SIZE)[0].round();
    assert_eq!(left(&set), 40.0);
    set.undo();
    assert_eq!(left(&set), 35.0);
    set.undo();
    assert_eq!(set.picture(before.id), Some(&before));
}

#[test]
fn what_changes_nothing_is_no_change() {
    let mut set = set();
    let id = set.pictures().next().unwrap().id;
    let changes = set.history.can();
    assert_eq!(set.set_split(&[id], Use::Train), Touched::default());
    assert_eq!(set.edit(99, None, Vec::clear), Touched::default());
    set.undo();
    assert!(set.is_empty());
    assert_eq!(changes, (true, false));
}

#[test]
fn classes_are_named_renamed_and_taken_out_with_their_boxes() {
    let mut set = set();
    assert_eq!(set.add_class(" carrot ").unwrap().0, 2);
    assert_eq!(set.add_class("owl"), Err(WrongName::Taken));
    assert_eq!(set.add_class("  "), Err(WrongName::Empty));
    assert_eq!(set.add_class(&"x".repeat(61)), Err(WrongName::Long));
    set.rename_class(0, "eagle").unwrap();
    assert_eq!(set.rename_class(0, "whale"), Err(WrongName::Taken));
    assert!(set.rename_class(0, "eagle").is_ok());
    let touched = set.remove_class(0);
    assert_eq!(touched.pictures.len(), 8);
    assert_eq!(set.classes(), ["whale", "carrot"]);
    assert!(
        set.pictures()
            .all(|picture| picture.boxes.iter().all(|found| found.class == 0))
    );
    assert_eq!(
        set.pictures()
            .map(|picture| picture.boxes.len())
            .sum::<usize>(),
        4
    );
    set.undo();
    assert_eq!(set.classes(), ["eagle", "whale", "carrot"]);
    assert_eq!(
        set.pictures()
            .map(|picture| picture.boxes.len())
            .sum::<usize>(),
        8
    );
}

#[test]
fn a_set_is_divided_by_name() {
    let mut set = set();
    let all: Vec<u32> = set.pictures().map(|picture| picture.id).collect();
    set.set_split(&all, Use::Train);
    set.divide();
    let val: Vec<&str> = set
        .pictures()
        .filter(|p| p.split == Use::Val)
        .map(|p| &*p.name)
        .collect();
    assert_eq!(val, ["3.jpg", "7.jpg"]);
}

#[test]
fn boxes_stay_in_their_picture() {
    let found = labelled(0);
    assert_eq!(
        found.corners(SIZE).map(f32::round),
        [20.0, 10.0, 60.0, 50.0]
    );
    assert_eq!(
        found
            .moved([-90.0, 900.0], SIZE)
            .corners(SIZE)
            .map(f32::round),
        [0.0, 60.0, 40.0, 100.0]
    );
    assert_eq!(
        found
            .resized([900.0, -900.0], SIZE)
            .corners(SIZE)
            .map(f32::round),
        [20.0, 10.0, 200.0, 12.0]
    );
    let outside = LabelBox::between(0, [250.0, 120.0], [300.0, 130.0], SIZE);
    assert!(outside.is_box());
    assert_eq!(
        outside.corners(SIZE).map(f32::round),
        [198.0, 98.0, 200.0, 100.0]
    );
    assert!(found.holds([20.0, 30.0], SIZE) && !found.holds([19.0, 30.0], SIZE));
    assert!((found.area(SIZE) - 1600.0).abs() < 0.1);
    let nothing = LabelBox {
        class: 0,
        cxcywh: [0.5, 0.5, 0.0, 0.1],
    };
    assert!(!nothing.is_box());
}

#[test]
fn a_kept_set_comes_back() {
    let before = set();
    let records: Vec<String> = before
        .pictures()
        .map(|p| serde_json::to_string(p).unwrap())
        .collect();
    let pictures = records
        .iter()
        .map(|record| serde_json::from_str(record).unwrap());
    let mut after = DataSet::new(before.classes().to_vec(), pictures.collect());
    assert!(before.pictures().eq(after.pictures()));
    let (ids, _) = after.add(&[], vec![new("9.jpg", &[])]);
    assert_eq!(ids, [8]);
    let (ids, told) = after.ask();
    assert_eq!(
        (ids.len(), &*told[1].name, told[1].boxes.len()),
        (9, "1.jpg", 1)
    );
}
