//! The style sheet's colours have the contrast that WCAG 2.2 AA asks for, in both themes.

use std::collections::HashMap;

const STYLE: &str = include_str!("../public/colours.css");

/// Text on what it stands on.
const TEXT: f64 = 4.5;
/// Edges of controls and parts of drawings.
const GRAPHICS: f64 = 3.0;

/// Foreground, background, least contrast.
const PAIRS: &[(&str, &str, f64)] = &[
    ("ink", "page", TEXT),
    ("ink", "raised", TEXT),
    ("muted", "page", TEXT),
    ("muted", "raised", TEXT),
    ("page", "ink", TEXT),
    ("wrong", "page", TEXT),
    ("ice-ink", "page", TEXT),
    ("ice-ink", "ice", TEXT),
    ("ember-ink", "page", TEXT),
    ("ember-ink", "ember", TEXT),
    // In a partly frozen module the words stand on both.
    ("ember-ink", "ice", TEXT),
    ("ice-edge", "page", GRAPHICS),
    ("ember-edge", "page", GRAPHICS),
    ("ember-edge", "ember", GRAPHICS),
    ("edge", "page", GRAPHICS),
    ("control", "page", GRAPHICS),
    ("control", "raised", GRAPHICS),
    ("focus", "page", GRAPHICS),
];

/// The colours of the first block with this selector.
fn colours(selector: &str) -> HashMap<&'static str, [f64; 3]> {
    let (_, after) = STYLE.split_once(&format!("{selector} {{")).unwrap();
    let (block, _) = after.split_once('}').unwrap();
    (block.lines())
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": #")?;
            let hex = u32::from_str_radix(value.trim_end_matches(';'), 16).unwrap();
            Some((
                name,
                [16, 8, 0].map(|shift| f64::from(hex >> shift & 255) / 255.0),
            ))
        })
        .collect()
}

/// WCAG's relative luminance.
fn luminance(colour: [f64; 3]) -> f64 {
    let linear = colour.map(|c| {
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

#[test]
fn colours_have_enough_contrast_in_both_themes() {
    for theme in [":root", ":root[data-theme=\"dark\"]"] {
        let colours = colours(theme);
        for (front, back, least) in PAIRS {
            let found = contrast(colours[front], colours[back]);
            assert!(
                found >= *least,
                "{theme}: {front} on {back} has {found:.2}, not {least}"
            );
        }
    }
}

#[test]
fn the_chosen_dark_theme_is_the_system_s() {
    let chosen = colours(":root[data-theme=\"dark\"]");
    assert_eq!(colours(":root:not([data-theme=\"light\"])"), chosen);
    assert!(chosen.len() > 10);
}

#[test]
fn contrast_is_the_published_formula() {
    let grey = |level: f64| [level; 3];
    assert!((contrast(grey(0.0), grey(1.0)) - 21.0).abs() < 1e-9);
    // #767676 on white is the lightest grey that passes.
    assert!((contrast(grey(118.0 / 255.0), grey(1.0)) - 4.54).abs() < 0.01);
}

#[test]
fn names_of_classes_can_be_read_on_their_colours() {
    let colours = colours(":root");
    for class in 0..8 {
        let found = contrast(colours["on-class"], colours[&*format!("class-{class}")]);
        assert!(found >= TEXT, "class-{class} has {found:.2}");
    }
}
