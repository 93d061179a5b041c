//! Annotations of Pascal VOC as label rows.

use std::fmt::Write as _;

use frostline::{Error, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Annotation {
    #[serde(default)]
    object: Vec<Object>,
}

#[derive(Debug, Deserialize)]
struct Object {
    name: String,
    #[serde(default)]
    difficult: u8,
    bndbox: Corners,
}

/// Pixels from 1 on, the last one included.
#[derive(Debug, Deserialize)]
struct Corners {
    xmin: f64,
    ymin: f64,
    xmax: f64,
    ymax: f64,
}

/// The rows `class cx cy w h` of an annotation for a picture of `size` `[w, h]`. Objects that are marked as difficult, which VOC
/// itself does not count, and boxes without area are left out.
///
/// # Errors
/// Text that is no annotation, or a class that is not among `classes`; `place` names it.
pub fn labels(xml: &str, classes: &[&str], size: [u32; 2], place: &str) -> Result<String> {
    let annotation: Annotation = quick_xml::de::from_str(xml)
        .map_err(|error| Error::input(place, error, "an annotation of Pascal VOC", ""))?;
    let [width, height] = size.map(f64::from);
    let mut rows = String::new();
    for object in &annotation.object {
        let name = object.name.trim();
        let Some(class) = classes.iter().position(|class| *class == name) else {
            return Err(Error::input(
                place,
                format!("class `{name}`"),
                classes.join(", "),
                "What is published has changed",
            ));
        };
        let corners = &object.bndbox;
        let [x1, x2] = [corners.xmin - 1.0, corners.xmax].map(|x| x.clamp(0.0, width) / width);
        let [y1, y2] = [corners.ymin - 1.0, corners.ymax].map(|y| y.clamp(0.0, height) / height);
        // Also false for what is no number.
        if object.difficult == 0 && x2 > x1 && y2 > y1 {
            let (cx, cy) = (f64::midpoint(x1, x2), f64::midpoint(y1, y2));
            // Writing into a string cannot fail.
            let _ = writeln!(
                rows,
                "{class} {cx:.6} {cy:.6} {:.6} {:.6}",
                x2 - x1,
                y2 - y1
            );
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<annotation><folder>VOC2007</folder>
        <object><name>dog</name><difficult>0</difficult>
          <bndbox><xmin>1</xmin><ymin>11</ymin><xmax>50</xmax><ymax>40</ymax></bndbox>
          <part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>
        <size><width>9</width></size>
        <object><name>cat</name><difficult>1</difficult>
          <bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>
        <object><name>cat</name>
          <bndbox><xmin>90.5</xmin><ymin>1</ymin><xmax>500</xmax><ymax>20</ymax></bndbox></object>
        <object><name>cat</name><bndbox><xmin>9</xmin><ymin>9</ymin><xmax>3</xmax><ymax>20</ymax></bndbox></object>
        </annotation>";

    #[test]
    fn boxes_count_their_last_pixel_and_difficult_ones_are_left_out() {
        let rows = labels(XML, &["cat", "dog"], [100, 40], "a.xml").unwrap();
        assert_eq!(
            rows,
            "1 0.250000 0.625000 0.500000 0.750000\n0 0.947500 0.250000 0.105000 0.500000\n"
        );
    }

    #[test]
    fn a_picture_without_objects_has_no_rows_and_broken_text_is_named() {
        assert_eq!(labels("<annotation/>", &[], [1, 1], "a.xml").unwrap(), "");
        for (xml, word) in [
            (XML, "dog"),
            ("<annotation><object>", "a.xml"),
            ("no xml", "a.xml"),
        ] {
            let message = labels(xml, &["cat"], [9, 9], "a.xml")
                .unwrap_err()
                .to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
