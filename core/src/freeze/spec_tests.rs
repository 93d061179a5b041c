use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> crate::Result<FreezeSpec> {
    text.parse()
}

fn shortest(text: &str) -> String {
    parse(text).unwrap().to_string()
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn the_documented_examples_print_their_shortest_form() {
    for (text, short) in [
        ("10", "10"),
        ("24", "24"),
        ("0", "0"),
        ("none", "0"),
        ("0,1,2", "3"),
        ("0 1 2", "3"),
        ("0-9", "10"),
        ("=10", "=10"),
        ("5 5", "=5"),
        ("=0", "1"),
        ("backbone,!9", "backbone,!9"),
        ("all,!*.bn.*,!detect", "all,!*.bn.*,!detect"),
        ("24; 10@5; 0@20", "24;10@5;0@20"),
        ("model.2.cv1.*", "model.2.cv1.*"),
        (" 3 , 5-7,,9".replace(",,", ",").as_str(), "3,5-7,9"),
        ("10-", "10-"),
        ("2,10-,12", "2,10-"),
        ("3,1,2,!2,!2,4", "1-3,!2,4"),
        ("7,head,8,head", "7-8,head"),
        ("10; 0-9@3; 5@7", "10;5@7"),
        ("10@0", "10"),
        ("none,4", "=4"),
        ("model.**.bn.*", "model.*.bn.*"),
    ] {
        assert_eq!(shortest(text), short, "{text}");
    }
}

#[test]
fn numbers_alone_count_modules_and_in_company_name_them() {
    assert_eq!(parse("10").unwrap(), FreezeSpec::leading(10));
    assert_eq!(parse("10").unwrap(), parse("0-9").unwrap());
    assert_ne!(parse("10").unwrap(), parse("10 10").unwrap());
    assert_eq!(parse("10 10").unwrap(), parse("=10").unwrap());
    assert_eq!(
        FreezeSpec::from_values(&["0", "1", "2"]).unwrap(),
        parse("0,1,2").unwrap()
    );
    assert_eq!(
        FreezeSpec::from_values(&["24;", "10@5"]).unwrap(),
        parse("24;10@5").unwrap()
    );
}

#[test]
fn none_is_none() {
    for text in ["0", "none", "none,none", "0; none@4"] {
        assert!(parse(text).unwrap().is_none(), "{text}");
    }
    assert!(!parse("0; 1@4").unwrap().is_none());
    assert_eq!(FreezeSpec::default(), FreezeSpec::none());
}

#[test]
fn errors_carry_the_text_the_column_and_a_hint() {
    assert_eq!(
        error("3, 9-4"),
        "freeze plan \"3, 9-4\", column 4: found 9-4, which runs backwards, expected the smaller module first. Write 4-9"
    );
    assert_eq!(
        error("24; 10@5; 0@5"),
        "freeze plan \"24; 10@5; 0@5\", column 13: found epoch 5 after epoch 5, expected epochs that increase from stage to stage. Take an epoch above 5"
    );
    for (text, column, part) in [
        ("", 1, "an empty term"),
        ("1,,2", 3, "an empty term"),
        ("1,", 3, "an empty term"),
        (",1", 1, "an empty term"),
        ("10;", 4, "without an epoch"),
        ("10; @5", 4, "an empty term"),
        ("10@", 4, "found nothing"),
        ("10@5", 4, "write 0; 10@5"),
        ("10; 5", 5, "as in 5@5"),
        ("10@0@5", 5, "a second @"),
        ("10@x", 4, "an epoch, in digits"),
        ("5,!", 4, "an empty term after !"),
        ("-1", 1, "no negative modules"),
        ("=", 2, "found nothing"),
        ("=3-5", 1, "leave out the =: 3-5"),
        ("3-5-7", 1, "a range of two modules"),
        ("3-x", 3, "the last module of a range, in digits"),
        ("2,Backbone", 3, "Did you mean backbone?"),
        ("al", 1, "Did you mean all?"),
        ("frozen", 1, "A pattern over parameter names"),
        ("model.[0-9].*", 7, "in a pattern"),
        ("é,ü,model.é", 1, "found \"é\""),
        ("1,model.é", 9, "'é' in a pattern"),
        ("99999999999999999999999", 1, "at most 999999999"),
        ("1e3", 1, "found \"1e3\""),
        ("5 !! 6", 4, "found \"!\""),
    ] {
        let error = error(text);
        assert!(
            error.contains(&format!("column {column}:")),
            "{text:?}: {error}"
        );
        assert!(error.contains(part), "{text:?}: {error}");
    }
    assert!(error(&"1,".repeat(100_000)).len() < 400);
}

#[test]
fn yaml_and_json_may_give_numbers_texts_and_lists() {
    for (json, text) in [
        ("10", "10"),
        ("[0, 1, 2]", "3"),
        ("[10]", "10"),
        ("[\"backbone\", \"!9\"]", "backbone,!9"),
        ("\"24; 10@5\"", "24;10@5"),
    ] {
        let spec: FreezeSpec = serde_json::from_str(json).unwrap();
        assert_eq!(spec.to_string(), text);
        let again = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<FreezeSpec>(&again).unwrap(), spec);
    }
    for json in ["-1", "[[1]]", "{}", "\"x\"", "[]", "1.5", "null"] {
        assert!(serde_json::from_str::<FreezeSpec>(json).is_err(), "{json}");
    }
}

/// Random texts of the language.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let what = prop_oneof![
        4 => (0..27usize).prop_map(|i| i.to_string()),
        3 => (0..27usize, 0..8usize).prop_map(|(a, n)| format!("{a}-{}", a + n)),
        1 => (0..27usize).prop_map(|a| format!("{a}-")),
        1 => (0..27usize).prop_map(|a| format!("={a}")),
        2 => prop::sample::select(vec![
            "none", "all", "backbone", "neck", "head", "detect", "all-but-detect",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec![
            "*.bn.*", "model.2.cv1.*", "model.24.m.0.*", "*.weight", "model.1*", "**", "nothing.*",
        ]).prop_map(str::to_owned),
    ];
    let term = (any::<bool>(), what)
        .prop_map(|(away, what)| format!("{}{what}", if away { "!" } else { "" }));
    let separator = prop::sample::select(vec![",", " ", ", ", " , ", "  "]);
    let set = (prop::collection::vec(term, 1..6), separator)
        .prop_map(|(terms, separator)| terms.join(separator));
    prop::collection::vec((set, 1..9usize), 1..4).prop_map(|stages| {
        let mut epoch = 0;
        let mut texts = Vec::new();
        for (index, (set, step)) in stages.into_iter().enumerate() {
            if index == 0 {
                texts.push(set);
            } else {
                epoch += step;
                texts.push(format!("{set}@{epoch}"));
            }
        }
        texts.join("; ")
    })
}

proptest! {
    #[test]
    fn specs_survive_printing(text in texts()) {
        let spec = parse(&text).unwrap();
        let short = spec.to_string();
        prop_assert!(short.len() <= text.len(), "{} {}", short, text);
        let again = parse(&short).unwrap();
        prop_assert_eq!(&again, &spec);
        prop_assert_eq!(again.to_string(), short);
    }

    #[test]
    fn parsing_never_panics(text in "[-0-9 ,;@!=.*a-nü\\PC]{0,24}") {
        if let Ok(spec) = parse(&text) {
            prop_assert_eq!(parse(&spec.to_string()).unwrap(), spec);
        }
    }
}
