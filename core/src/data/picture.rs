//! Picture files: bmp, jpeg, png, tiff and webp, told apart by their content, turned by their EXIF
//! orientation, brought to 8-bit RGB (fact sheet, section 6). Files are only ever read.

use std::fmt::Display;
use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use crate::{Error, Result};

/// The suffixes of picture files, in lower case.
pub const SUFFIXES: [&str; 7] = ["bmp", "jpg", "jpeg", "png", "tif", "tiff", "webp"];
/// A picture decodes to at most this much: 16 384 × 10 922 px in RGB.
pub const MAX_DECODED_BYTES: u64 = 512 << 20;
/// A picture with a side below this is refused, as in the reference.
pub const MIN_SIDE_PX: u32 = 10;

const NEXT: &str = "Save the picture again, or remove it from the set";

/// Whether the suffix of `path` is that of a picture.
#[must_use]
pub fn has_picture_suffix(path: &Path) -> bool {
    path.extension()
        .and_then(|suffix| suffix.to_str())
        .is_some_and(|suffix| SUFFIXES.iter().any(|s| suffix.eq_ignore_ascii_case(s)))
}

/// The suffix that the content of a picture file asks for; `jpg` where it is of no known format.
#[must_use]
pub fn suffix_of(bytes: &[u8]) -> &'static str {
    match image::guess_format(bytes) {
        Ok(ImageFormat::Bmp) => "bmp",
        Ok(ImageFormat::Png) => "png",
        Ok(ImageFormat::Tiff) => "tif",
        Ok(ImageFormat::WebP) => "webp",
        _ => "jpg",
    }
}

/// Decodes the picture at `path`: upright, RGB.
///
/// # Errors
/// When the file cannot be read, is no picture of a known format, is truncated or corrupt, is
/// below [`MIN_SIDE_PX`], or decodes to more than [`MAX_DECODED_BYTES`].
pub fn read(path: &Path) -> Result<RgbImage> {
    decode(&read_bytes(path)?, path.display())
}

/// Size `[w, h]` in pixels of the upright picture at `path`, from its header alone.
///
/// # Errors
/// As [`read`], except that damage past the header goes unseen.
pub fn size(path: &Path) -> Result<[usize; 2]> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let (_, size) = open(std::io::BufReader::new(file), &path.display())?;
    Ok(size)
}

/// Decodes the bytes of a picture file; `place` names it in errors.
///
/// # Errors
/// As [`read`].
pub fn decode(bytes: &[u8], place: impl Display) -> Result<RgbImage> {
    let (mut decoder, _) = open_whole(bytes, &place)?;
    let orientation = decoder.orientation().map_err(|e| corrupt(&place, &e))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| corrupt(&place, &e))?;
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

/// Checks as much of a picture file as can be checked without decoding it, and returns its size
/// `[w, h]`.
///
/// # Errors
/// As [`read`], except that damage within the pixels goes unseen.
pub fn inspect(bytes: &[u8], place: impl Display) -> Result<[usize; 2]> {
    Ok(open_whole(bytes, &place)?.1)
}

/// Reads the header of a file that is all there.
fn open_whole<'a>(
    bytes: &'a [u8],
    place: &impl Display,
) -> Result<(impl ImageDecoder + 'a, [usize; 2])> {
    // The decoder fills what a truncated JPEG lacks with grey, without a word.
    if is_truncated_jpeg(bytes) {
        return Err(Error::input(
            place,
            "a JPEG that breaks off before its end marker",
            "a whole bmp, jpeg, png, tiff or webp picture",
            NEXT,
        ));
    }
    open(Cursor::new(bytes), place)
}

/// The whole file, which a picture's file may not make larger than a decoded picture.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if length > MAX_DECODED_BYTES {
        return Err(Error::input(
            path.display(),
            format!("a file of {} MiB", length >> 20),
            format!("a picture of at most {} MiB", MAX_DECODED_BYTES >> 20),
            "Save the picture smaller, or remove it from the set",
        ));
    }
    std::fs::read(path).map_err(Error::io(path))
}

/// Reads the header: the decoder, and the upright size.
fn open<'a>(
    reader: impl BufRead + Seek + 'a,
    place: &impl Display,
) -> Result<(impl ImageDecoder + 'a, [usize; 2])> {
    let mut reader = ImageReader::new(reader)
        .with_guessed_format()
        .map_err(|e| corrupt(place, &ImageError::IoError(e)))?;
    let format = reader.format();
    if !matches!(
        format,
        Some(
            ImageFormat::Bmp
                | ImageFormat::Jpeg
                | ImageFormat::Png
                | ImageFormat::Tiff
                | ImageFormat::WebP
        )
    ) {
        let found = format.map_or_else(
            || "content of no known picture format".to_owned(),
            |format| format!("a picture in the format {}", format.to_mime_type()),
        );
        return Err(Error::input(
            place,
            found,
            "a bmp, jpeg, png, tiff or webp picture",
            NEXT,
        ));
    }
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| corrupt(place, &e))?;
    let (w, h) = decoder.dimensions();
    if w < MIN_SIDE_PX || h < MIN_SIDE_PX {
        return Err(Error::input(
            place,
            format!("a picture of {w} × {h} px"),
            format!("at least {MIN_SIDE_PX} × {MIN_SIDE_PX} px"),
            "Remove it from the set",
        ));
    }
    // Not every decoder minds the limit by itself; RGB may also need more than the file's format.
    let rgb_bytes = u64::from(w) * u64::from(h) * 3;
    if decoder.total_bytes().max(rgb_bytes) > MAX_DECODED_BYTES {
        return Err(Error::input(
            place,
            format!("a picture of {w} × {h} px"),
            format!("at most {} MiB when decoded", MAX_DECODED_BYTES >> 20),
            "Save the picture smaller, or remove it from the set",
        ));
    }
    let turned = decoder
        .orientation()
        .map_err(|e| corrupt(place, &e))?
        .to_exif()
        >= 5;
    let (w, h) = (w as usize, h as usize);
    Ok((decoder, if turned { [h, w] } else { [w, h] }))
}

fn corrupt(place: &impl Display, error: &ImageError) -> Error {
    Error::input(
        place,
        format!("a picture that cannot be decoded ({error})"),
        "a whole bmp, jpeg, png, tiff or webp picture",
        NEXT,
    )
}

/// Whether `bytes` are a JPEG without an end marker after its pixels. An embedded thumbnail's end
/// marker does not count (it lies within a segment), and bytes past the end do no harm.
fn is_truncated_jpeg(bytes: &[u8]) -> bool {
    const SOI: u8 = 0xd8;
    const EOI: u8 = 0xd9;
    const TEM: u8 = 0x01;
    if !bytes.starts_with(&[0xff, SOI]) {
        return false;
    }
    let mut rest = &bytes[2..];
    loop {
        // The next marker: 0xff and a byte that is neither stuffing nor fill. Entropy-coded data
        // and stray bytes between segments are passed over alike.
        let Some(at) = rest.iter().position(|&b| b == 0xff) else {
            return true;
        };
        let Some(&marker) = rest.get(at + 1) else {
            return true;
        };
        match marker {
            EOI => return false,
            // A second 0xff may start the marker itself.
            0xff => rest = &rest[at + 1..],
            // Stuffing, and markers without a length: restarts, a second start.
            0x00 | TEM | 0xd0..=SOI => rest = &rest[at + 2..],
            _ => {
                let length = match rest.get(at + 2..at + 4) {
                    Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
                    _ => return true,
                };
                match rest.get(at + 2 + length.max(2)..) {
                    Some(next) => rest = next,
                    None => return true,
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use image::{Rgb, codecs::jpeg::JpegEncoder};
    use std::path::PathBuf;

    /// JPEG is lossy: flat quadrants come back within a few levels.
    const JPEG_LEVELS: u8 = 12;

    /// 80 × 60, one colour per quadrant.
    pub(crate) fn quadrants() -> RgbImage {
        RgbImage::from_fn(80, 60, |x, y| match (x < 40, y < 30) {
            (true, true) => Rgb([200, 40, 40]),
            (false, true) => Rgb([40, 200, 40]),
            (true, false) => Rgb([40, 40, 200]),
            (false, false) => Rgb([220, 220, 220]),
        })
    }

    pub(crate) fn jpeg(image: &RgbImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 95)
            .encode_image(image)
            .unwrap();
        bytes
    }

    /// Puts an APP1 segment with a single EXIF entry, the orientation, behind the start marker.
    pub(crate) fn with_orientation(jpeg: &[u8], orientation: u16, big_endian: bool) -> Vec<u8> {
        let mut exif = b"Exif\0\0".to_vec();
        let u16_bytes = |v: u16| {
            if big_endian {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        let u32_bytes = |v: u32| {
            if big_endian {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        exif.extend(if big_endian { b"MM" } else { b"II" });
        exif.extend(u16_bytes(42));
        exif.extend(u32_bytes(8)); // the directory follows the header
        exif.extend(u16_bytes(1)); // one entry
        exif.extend(u16_bytes(0x0112)); // orientation
        exif.extend(u16_bytes(3)); // of type SHORT
        exif.extend(u32_bytes(1));
        exif.extend(u16_bytes(orientation));
        exif.extend(u16_bytes(0));
        exif.extend(u32_bytes(0)); // no further directory
        let mut bytes = jpeg[..2].to_vec();
        bytes.extend([0xff, 0xe1]);
        bytes.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        bytes.extend(exif);
        bytes.extend(&jpeg[2..]);
        bytes
    }

    fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn near(a: Rgb<u8>, b: Rgb<u8>) -> bool {
        a.0.iter()
            .zip(b.0)
            .all(|(a, b)| a.abs_diff(b) <= JPEG_LEVELS)
    }

    #[test]
    fn each_of_the_eight_exif_orientations_turns_the_pixels_upright() {
        let upright = quadrants();
        let stored = jpeg(&upright);
        // Where the stored pixel (x, y) of a w × h picture goes, from the EXIF standard's table of
        // what the first row and the first column are.
        type Goes = fn(u32, u32, u32, u32) -> (u32, u32);
        let goes: [Goes; 8] = [
            |x, y, _, _| (x, y),
            |x, y, w, _| (w - 1 - x, y),
            |x, y, w, h| (w - 1 - x, h - 1 - y),
            |x, y, _, h| (x, h - 1 - y),
            |x, y, _, _| (y, x),
            |x, y, _, h| (h - 1 - y, x),
            |x, y, w, h| (h - 1 - y, w - 1 - x),
            |x, y, w, _| (y, w - 1 - x),
        ];
        for (orientation, goes) in (1u16..).zip(goes) {
            for big_endian in [false, true] {
                let bytes = with_orientation(&stored, orientation, big_endian);
                let image = decode(&bytes, "a.jpg").unwrap();
                let (w, h) = if orientation < 5 { (80, 60) } else { (60, 80) };
                assert_eq!(image.dimensions(), (w, h), "orientation {orientation}");
                assert_eq!(
                    inspect(&bytes, "a.jpg").unwrap(),
                    [w as usize, h as usize],
                    "orientation {orientation}"
                );
                for (x, y) in [(20, 15), (60, 15), (20, 45), (60, 45)] {
                    let (to_x, to_y) = goes(x, y, 80, 60);
                    assert!(
                        near(*image.get_pixel(to_x, to_y), *upright.get_pixel(x, y)),
                        "orientation {orientation}: ({x}, {y}) is not at ({to_x}, {to_y})"
                    );
                }
            }
        }
    }

    #[test]
    fn an_orientation_that_does_not_exist_changes_nothing() {
        let bytes = with_orientation(&jpeg(&quadrants()), 9, true);
        assert_eq!(decode(&bytes, "a.jpg").unwrap().dimensions(), (80, 60));
    }

    #[test]
    fn every_format_is_known_by_its_content() {
        let image = DynamicImage::from(quadrants());
        for format in [
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::WebP,
        ] {
            let bytes = encode(&image, format);
            let decoded = decode(&bytes, "named.jpg").unwrap();
            assert_eq!(decoded, quadrants(), "{format:?}");
            assert_eq!(inspect(&bytes, "named.jpg").unwrap(), [80, 60]);
        }
    }

    #[test]
    fn grey_alpha_and_16_bit_pictures_become_8_bit_rgb() {
        let rgb = DynamicImage::from(quadrants());
        for image in [
            DynamicImage::from(rgb.to_rgba8()),
            DynamicImage::from(rgb.to_rgb16()),
        ] {
            let decoded = decode(&encode(&image, ImageFormat::Png), "a.png").unwrap();
            assert_eq!(decoded, quadrants());
        }
        for image in [
            DynamicImage::from(rgb.to_luma8()),
            DynamicImage::from(rgb.to_luma16()),
            DynamicImage::from(rgb.to_luma_alpha8()),
        ] {
            let decoded = decode(&encode(&image, ImageFormat::Png), "a.png").unwrap();
            let Rgb([r, g, b]) = *decoded.get_pixel(70, 50);
            assert_eq!([r, g, b], [220; 3]);
        }
    }

    #[test]
    fn a_picture_of_9_px_is_refused_and_one_of_10_px_is_read() {
        let small = encode(&DynamicImage::new_rgb8(30, 9), ImageFormat::Png);
        let message = decode(&small, "a.png").unwrap_err().to_string();
        assert!(
            message.contains("30 × 9 px") && message.contains("a.png"),
            "{message}"
        );
        let enough = encode(&DynamicImage::new_rgb8(30, 10), ImageFormat::Png);
        assert_eq!(decode(&enough, "a.png").unwrap().dimensions(), (30, 10));
    }

    #[test]
    fn truncated_pictures_of_every_format_are_refused() {
        let noise = RgbImage::from_fn(80, 60, |x, y| {
            Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8 * 3])
        });
        let image = DynamicImage::from(noise);
        for format in [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Tiff,
            ImageFormat::WebP,
        ] {
            let bytes = encode(&image, format);
            assert!(decode(&bytes, "a").is_ok(), "{format:?}");
            let half = &bytes[..bytes.len() / 2];
            let message = decode(half, "cut.img").unwrap_err().to_string();
            assert!(message.starts_with("cut.img: "), "{message}");
        }
    }

    #[test]
    fn a_jpeg_without_its_end_marker_is_refused_and_one_with_bytes_behind_it_is_read() {
        let whole = jpeg(&quadrants());
        let no_end = &whole[..whole.len() - 2];
        assert!(decode(no_end, "a.jpg").is_err());
        assert!(inspect(no_end, "a.jpg").is_err());
        let mut longer = whole.clone();
        longer.extend(b"a camera's own data");
        assert!(decode(&longer, "a.jpg").is_ok());
        // A thumbnail's end marker, inside a segment, is not the picture's.
        let mut thumbnail = whole[..2].to_vec();
        thumbnail.extend([0xff, 0xe2, 0, 6, 0xff, 0xd8, 0xff, 0xd9]);
        thumbnail.extend(&whole[2..whole.len() - 2]);
        assert!(decode(&thumbnail, "a.jpg").is_err());
    }

    #[test]
    fn pictures_are_kept_and_sized_as_in_the_golden_cases() {
        let golden: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../tests/golden/data/label_and_image_checks.json"
            ))
            .unwrap(),
        )
        .unwrap();
        let image = DynamicImage::from(quadrants());
        let whole = jpeg(&quadrants());
        let of_height = |h| encode(&DynamicImage::new_rgb8(30, h), ImageFormat::Png);
        let grey = DynamicImage::from(image.to_luma8());
        let mut cases = vec![
            ("9px_high", of_height(9)),
            ("10px_high", of_height(10)),
            ("garbage", b"this is not a picture".to_vec()),
            ("jpeg_no_eoi", whole[..whole.len() - 2].to_vec()),
            ("jpeg_half", whole[..whole.len() / 2].to_vec()),
            ("png_named_jpg", encode(&image, ImageFormat::Png)),
            ("bmp", encode(&image, ImageFormat::Bmp)),
            ("tif", encode(&image, ImageFormat::Tiff)),
            ("webp", encode(&image, ImageFormat::WebP)),
            ("gif", b"GIF89a\x50\x00\x3c\x00\x00\x00\x00;".to_vec()),
            ("gray_png", encode(&grey, ImageFormat::Png)),
        ];
        for (name, orientation) in [("exif1", 1), ("exif3", 3), ("exif6", 6), ("exif8", 8)] {
            cases.push((name, with_orientation(&whole, orientation, true)));
        }
        for (name, bytes) in cases {
            let case = &golden["cases"][format!("image_{name}")];
            let kept = case["kept"].as_bool().unwrap();
            let size: Option<[u32; 2]> = serde_json::from_value(case["shape_wh"].clone()).unwrap();
            let image = decode(&bytes, "a.jpg");
            assert_eq!(image.is_ok(), kept, "{name}");
            assert_eq!(image.ok().map(|i| [i.width(), i.height()]), size, "{name}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_with_what_it_is() {
        for bytes in [
            &b""[..],
            b"not a picture at all",
            b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        ] {
            let message = decode(bytes, "a.jpg").unwrap_err().to_string();
            assert!(
                message.contains("expected a bmp, jpeg, png, tiff or webp"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_header_that_promises_gigabytes_is_refused_before_anything_is_allocated() {
        let mut bytes = encode(&DynamicImage::new_rgb8(16, 16), ImageFormat::Bmp);
        bytes[18..22].copy_from_slice(&60_000i32.to_le_bytes());
        bytes[22..26].copy_from_slice(&60_000i32.to_le_bytes());
        assert!(decode(&bytes, "a.bmp").is_err());
        let mut bytes = jpeg(&quadrants());
        let sof = bytes
            .windows(2)
            .position(|w| w == [0xff, 0xc0])
            .expect("a baseline JPEG");
        bytes[sof + 5..sof + 9].copy_from_slice(&[0xff; 4]);
        let message = decode(&bytes, "a.jpg").unwrap_err().to_string();
        assert!(message.contains("65535 × 65535"), "{message}");
    }

    #[test]
    fn pictures_are_read_from_files_and_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.JPG");
        let bytes = with_orientation(&jpeg(&quadrants()), 6, true);
        std::fs::write(&path, &bytes).unwrap();
        assert!(has_picture_suffix(&path));
        assert_eq!(size(&path).unwrap(), [60, 80]);
        assert_eq!(read(&path).unwrap().dimensions(), (60, 80));
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        let missing = PathBuf::from("no/such/picture.jpg");
        assert!(
            read(&missing)
                .unwrap_err()
                .to_string()
                .contains("picture.jpg")
        );
        assert!(!has_picture_suffix(Path::new("a.gif")));
    }
}
