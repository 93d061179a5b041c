//! Letters on a picture.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, FontVec, GlyphId, PxScale, ScaleFont, point};
use image::RgbImage;

use super::color::Ink;
use super::draw::blend;

/// Where the anchor point lies in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Left end; for the vertical, the top of the line.
    Start,
    /// Middle; for the vertical, the middle of the capitals.
    Middle,
    /// Right end; for the vertical, the bottom of the line.
    End,
}

/// Reading direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Right,
    /// As along a vertical axis; "start" of the line is then its lower end.
    Up,
}

/// A line of text's look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// The em in pixels.
    pub size: f32,
    pub ink: Ink,
    /// Along the reading direction and across it.
    pub align: [Align; 2],
    pub direction: Direction,
}

impl Style {
    pub const fn new(size: f32, ink: Ink) -> Self {
        Self {
            size,
            ink,
            align: [Align::Start, Align::Start],
            direction: Direction::Right,
        }
    }

    pub const fn align(self, along: Align, across: Align) -> Self {
        Self {
            align: [along, across],
            ..self
        }
    }

    pub const fn up(self) -> Self {
        Self {
            direction: Direction::Up,
            ..self
        }
    }
}

/// Height of a line with its ascenders and descenders.
pub fn line_height(size: f32) -> f32 {
    size * (ASCENT + DESCENT)
}

// Of the embedded face, in ems.
const ASCENT: f32 = 0.932;
const DESCENT: f32 = 0.189;
const CAPITALS: f32 = 0.693;

/// The face is light; at the sizes of labels its strokes would turn grey.
const WEIGHT: f32 = 1.35;

/// The embedded face, and, where it lacks a letter (Korean, Chinese, Japanese names), one of the
/// system's, if there is one.
struct Faces {
    embedded: Option<FontRef<'static>>,
    system: OnceLock<Option<FontVec>>,
}

fn faces() -> &'static Faces {
    static FACES: OnceLock<Faces> = OnceLock::new();
    FACES.get_or_init(|| Faces {
        embedded: FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok(),
        system: OnceLock::new(),
    })
}

/// Faces with many scripts, where the usual systems keep them.
const SYSTEM_FACES: [&str; 8] = [
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/nanum/NanumGothic.ttf",
    "/System/Library/Fonts/AppleSDGothicNeo.ttc",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
    "C:\\Windows\\Fonts\\malgun.ttf",
    "C:\\Windows\\Fonts\\msyh.ttc",
];

fn system_face() -> Option<&'static FontVec> {
    faces()
        .system
        .get_or_init(|| {
            SYSTEM_FACES.iter().find_map(|path| {
                let bytes = std::fs::read(path).ok()?;
                FontVec::try_from_vec_and_index(bytes, 0).ok()
            })
        })
        .as_ref()
}

/// Calls `visit` with each letter's face, glyph and distance from the start in pixels; returns the
/// whole length.
fn lay_out(text: &str, size: f32, mut visit: impl FnMut(&dyn Outlines, GlyphId, f32)) -> f32 {
    let Some(embedded) = &faces().embedded else {
        return 0.0;
    };
    let mut x = 0.0;
    let mut previous: Option<GlyphId> = None;
    for letter in text.chars().filter(|c| !c.is_control()) {
        let id = embedded.glyph_id(letter);
        let foreign = (id.0 == 0).then(system_face).flatten();
        if let Some(face) = foreign {
            let id = face.glyph_id(letter);
            visit(face, id, x);
            x += face.as_scaled(scale(face, size)).h_advance(id);
            previous = None;
        } else {
            let scaled = embedded.as_scaled(scale(embedded, size));
            if let Some(previous) = previous {
                x += scaled.kern(previous, id);
            }
            visit(embedded, id, x);
            x += scaled.h_advance(id);
            previous = Some(id);
        }
    }
    x
}

/// What [`lay_out`] hands on of a face.
trait Outlines {
    fn outline(&self, id: GlyphId, size: f32, x: f32) -> Option<ab_glyph::OutlinedGlyph>;
}

impl<F: Font> Outlines for F {
    fn outline(&self, id: GlyphId, size: f32, x: f32) -> Option<ab_glyph::OutlinedGlyph> {
        self.outline_glyph(id.with_scale_and_position(scale(self, size), point(x, 0.0)))
    }
}

/// ab_glyph measures a face by the height of its line; this is for an em of `size`.
fn scale(face: &impl Font, size: f32) -> PxScale {
    let per_em = face.units_per_em().unwrap_or(1000.0);
    PxScale::from(size * face.height_unscaled() / per_em)
}

/// Length of a line in pixels.
pub fn width(text: &str, size: f32) -> f32 {
    lay_out(text, size, |_, _, _| {})
}

/// The text, or as much of it as `available` pixels hold, with an ellipsis.
pub fn fitted(text: &str, size: f32, available: f32) -> String {
    if width(text, size) <= available {
        return text.to_owned();
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let shortened = letters.iter().chain(&['…']).collect::<String>();
        if width(&shortened, size) <= available {
            return shortened;
        }
    }
    String::new()
}

/// Draws a line of text with its anchor at `at`.
pub fn draw_text(image: &mut RgbImage, text: &str, at: [f32; 2], style: Style) {
    let length = width(text, style.size);
    let along = match style.align[0] {
        Align::Start => 0.0,
        Align::Middle => -length / 2.0,
        Align::End => -length,
    };
    let baseline = style.size
        * match style.align[1] {
            Align::Start => ASCENT,
            Align::Middle => CAPITALS / 2.0,
            Align::End => -DESCENT,
        };
    // The baseline on a whole pixel keeps horizontal strokes sharp.
    let [origin_x, origin_y] = match style.direction {
        Direction::Right => [at[0] + along, (at[1] + baseline).round()],
        Direction::Up => [(at[0] + baseline).round(), at[1] - along],
    };
    let fraction = match style.direction {
        Direction::Right => origin_x - origin_x.floor(),
        Direction::Up => origin_y.ceil() - origin_y,
    };
    lay_out(text, style.size, |face, id, x| {
        let Some(glyph) = face.outline(id, style.size, x + fraction) else {
            return;
        };
        let bounds = glyph.px_bounds();
        let (left, top) = (bounds.min.x as i64, bounds.min.y as i64);
        glyph.draw(|dx, dy, coverage| {
            let (dx, dy) = (left + i64::from(dx), top + i64::from(dy));
            let (x, y) = match style.direction {
                Direction::Right => (origin_x.floor() as i64 + dx, origin_y as i64 + dy),
                Direction::Up => (origin_x as i64 + dy, origin_y.ceil() as i64 - 1 - dx),
            };
            blend(image, x, y, (coverage * WEIGHT).min(1.0), style.ink);
        });
    });
}

#[cfg(test)]
mod tests {
    use super::super::color::BLACK;
    use super::*;

    fn inked(style: Style, at: [f32; 2]) -> [u32; 4] {
        let mut image = RgbImage::from_pixel(200, 200, image::Rgb([255; 3]));
        draw_text(&mut image, "HEH", at, style);
        let inked = |x: u32, y: u32| image.get_pixel(x, y).0[0] < 128;
        let points: Vec<(u32, u32)> = (0..200)
            .flat_map(|y| (0..200).map(move |x| (x, y)))
            .filter(|&(x, y)| inked(x, y))
            .collect();
        let xs = || points.iter().map(|p| p.0);
        let ys = || points.iter().map(|p| p.1);
        [
            xs().min().unwrap_or(0),
            ys().min().unwrap_or(0),
            xs().max().unwrap_or(0),
            ys().max().unwrap_or(0),
        ]
    }

    #[test]
    fn centred_text_is_centred_in_both_directions() {
        let style = Style::new(30.0, BLACK).align(Align::Middle, Align::Middle);
        for style in [style, style.up()] {
            let [x0, y0, x1, y1] = inked(style, [100.0, 100.0]);
            assert!((x0 + x1).abs_diff(199) <= 2, "{x0}..{x1}");
            assert!((y0 + y1).abs_diff(199) <= 2, "{y0}..{y1}");
            let long_side = if style.direction == Direction::Up {
                y1 - y0
            } else {
                x1 - x0
            };
            assert!((long_side as f32 - width("HEH", 30.0)).abs() < 8.0);
        }
    }

    #[test]
    fn ends_of_a_line_stay_on_their_side_of_the_anchor() {
        let style = Style::new(30.0, BLACK).align(Align::End, Align::End);
        let [_, _, x1, y1] = inked(style, [150.0, 80.0]);
        assert!(x1 < 150 && y1 < 80);
        let style = Style::new(30.0, BLACK);
        let [x0, y0, _, _] = inked(style, [50.0, 60.0]);
        assert!(x0 >= 50 && y0 >= 60);
    }

    #[test]
    fn a_long_name_is_cut_to_fit() {
        let name = "a very long class name that no legend has room for";
        let cut = fitted(name, 20.0, 120.0);
        assert!(cut.ends_with('…') && width(&cut, 20.0) <= 120.0 && cut.len() > 5);
        assert_eq!(fitted("cat", 20.0, 120.0), "cat");
        assert_eq!(fitted("cat", 20.0, 0.0), "");
    }

    #[test]
    fn letters_that_the_face_lacks_do_not_panic() {
        assert!(width("사과 🍎\n\t", 20.0) > 0.0);
    }
}
