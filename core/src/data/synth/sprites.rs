//! The embedded artwork: 24 source classes and 4 target classes, each in three styles.
//! Authors and licences: `core/assets/sprites/ATTRIBUTION.md`.

use std::sync::OnceLock;

use super::World;
use super::random::split;

/// Longest side of every sprite, in its own pixels (texels).
pub(super) const SPRITE_SIDE: f32 = 128.0;

/// Art styles per class.
pub(super) const STYLES: usize = 3;

/// A class's name and its three PNG files.
type Art = (&'static str, [&'static [u8]; STYLES]);

macro_rules! art {
    ($($name:literal = $file:literal),* $(,)?) => {
        &[$(($name, [
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sprites/fluent/", $file, ".png")),
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sprites/noto/", $file, ".png")),
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sprites/twemoji/", $file, ".png")),
        ])),*]
    };
}

static SOURCE: &[Art] = art![
    "cat" = "cat",
    "panda" = "panda",
    "frog" = "frog",
    "penguin" = "penguin",
    "crab" = "crab",
    "butterfly" = "butterfly",
    "ladybug" = "ladybug",
    "elephant" = "elephant",
    "car" = "car",
    "bus" = "bus",
    "helicopter" = "helicopter",
    "sailboat" = "sailboat",
    "rocket" = "rocket",
    "apple" = "apple",
    "banana" = "banana",
    "watermelon" = "watermelon",
    "pineapple" = "pineapple",
    "mushroom" = "mushroom",
    "soccer ball" = "soccer-ball",
    "alarm clock" = "alarm-clock",
    "umbrella" = "umbrella",
    "guitar" = "guitar",
    "cactus" = "cactus",
    "sunflower" = "sunflower",
];

static TARGET: &[Art] = art![
    "owl" = "owl",
    "whale" = "whale",
    "tractor" = "tractor",
    "carrot" = "carrot",
];

fn art(world: World) -> &'static [Art] {
    match world {
        World::Source => SOURCE,
        World::Target => TARGET,
    }
}

/// Class names in index order.
pub(super) fn names(world: World) -> Vec<&'static str> {
    art(world).iter().map(|(name, _)| *name).collect()
}

/// One sprite of a class, decoded on first use of its world.
pub(super) fn sprite(world: World, class: usize, style: usize) -> &'static Sprite {
    static SOURCE_SPRITES: OnceLock<Vec<Sprite>> = OnceLock::new();
    static TARGET_SPRITES: OnceLock<Vec<Sprite>> = OnceLock::new();
    let cell = match world {
        World::Source => &SOURCE_SPRITES,
        World::Target => &TARGET_SPRITES,
    };
    let sprites = cell.get_or_init(|| {
        art(world)
            .iter()
            .flat_map(|(_, files)| files.iter().map(|file| Sprite::decode(file)))
            .collect()
    });
    &sprites[class * STYLES + style]
}

/// Pixels of one resolution, premultiplied `[r, g, b, a]`.
#[derive(Debug)]
struct Level {
    width: usize,
    height: usize,
    texels: Vec<[u8; 4]>,
}

/// A cut-out picture with its halved copies, so that small renderings do not alias.
#[derive(Debug)]
pub(super) struct Sprite {
    levels: Vec<Level>,
    /// Corners of the ink per row, in texels from the sprite's centre: the ink's extent under any
    /// pose is the extent of these points.
    pub outline: Vec<[f32; 2]>,
}

impl Sprite {
    fn decode(png: &[u8]) -> Self {
        let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png)
            .expect("the embedded sprites are PNG files, which a test decodes")
            .into_rgba8();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let texels = picture
            .pixels()
            .map(|pixel| {
                let [r, g, b, a] = pixel.0;
                let times_alpha = |c: u8| ((u32::from(c) * u32::from(a) + 127) / 255) as u8;
                [times_alpha(r), times_alpha(g), times_alpha(b), a]
            })
            .collect();
        let mut levels = vec![Level {
            width,
            height,
            texels,
        }];
        while levels[levels.len() - 1]
            .width
            .max(levels[levels.len() - 1].height)
            > 8
        {
            let half = levels[levels.len() - 1].half();
            levels.push(half);
        }
        let outline = levels[0].outline();
        Self { levels, outline }
    }

    /// The level whose texels are no smaller than about two thirds of a sample's spacing of
    /// `texels` (of the largest level), and its index.
    pub fn level_for(&self, mut texels: f32) -> usize {
        let mut level = 0;
        while texels > 1.5 && level + 1 < self.levels.len() {
            texels *= 0.5;
            level += 1;
        }
        level
    }

    /// Bilinear sample, premultiplied, `0..=255`, at `x`, `y` in texels of the largest level from
    /// the sprite's centre. Transparent outside.
    pub fn sample(&self, level: usize, x: f32, y: f32) -> [f32; 4] {
        let shrink = 1.0 / (1u32 << level) as f32;
        let (full, level) = (&self.levels[0], &self.levels[level]);
        let x = (x + full.width as f32 * 0.5) * shrink - 0.5;
        let y = (y + full.height as f32 * 0.5) * shrink - 0.5;
        if x <= -1.0 || y <= -1.0 || x >= level.width as f32 || y >= level.height as f32 {
            return [0.0; 4];
        }
        let ((left, fx), (top, fy)) = (split(x), split(y));
        let (left, top) = (left as isize, top as isize);
        let corners = [
            (level.at(left, top), (1.0 - fx) * (1.0 - fy)),
            (level.at(left + 1, top), fx * (1.0 - fy)),
            (level.at(left, top + 1), (1.0 - fx) * fy),
            (level.at(left + 1, top + 1), fx * fy),
        ];
        std::array::from_fn(|c| {
            corners
                .iter()
                .map(|(texel, weight)| f32::from(texel[c]) * weight)
                .sum()
        })
    }
}

impl Level {
    fn at(&self, x: isize, y: isize) -> [u8; 4] {
        if x < 0 || y < 0 || x >= self.width as isize || y >= self.height as isize {
            return [0; 4];
        }
        self.texels[y as usize * self.width + x as usize]
    }

    /// Half the resolution; an odd edge is averaged with transparency.
    fn half(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let texels = (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width * 2) as isize, (i / width * 2) as isize);
                let block = [
                    self.at(x, y),
                    self.at(x + 1, y),
                    self.at(x, y + 1),
                    self.at(x + 1, y + 1),
                ];
                std::array::from_fn(|c| {
                    let sum: u32 = block.iter().map(|texel| u32::from(texel[c])).sum();
                    ((sum + 2) / 4) as u8
                })
            })
            .collect();
        Self {
            width,
            height,
            texels,
        }
    }

    fn outline(&self) -> Vec<[f32; 2]> {
        let centre = [self.width as f32 * 0.5, self.height as f32 * 0.5];
        let mut outline = Vec::new();
        for (y, row) in self.texels.chunks_exact(self.width).enumerate() {
            let inked = |texel: &[u8; 4]| texel[3] >= 128;
            let (Some(first), Some(last)) =
                (row.iter().position(inked), row.iter().rposition(inked))
            else {
                continue;
            };
            for x in [first as f32, last as f32 + 1.0] {
                for y in [y as f32, y as f32 + 1.0] {
                    outline.push([x - centre[0], y - centre[1]]);
                }
            }
        }
        outline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sprite_decodes_to_a_full_size_cut_out() {
        for world in [World::Source, World::Target] {
            for class in 0..names(world).len() {
                for style in 0..STYLES {
                    let sprite = sprite(world, class, style);
                    let level = &sprite.levels[0];
                    assert_eq!(level.width.max(level.height) as f32, SPRITE_SIDE);
                    let ink = level.texels.iter().filter(|texel| texel[3] >= 128).count();
                    let share = ink as f32 / level.texels.len() as f32;
                    assert!((0.15..0.99).contains(&share), "{world:?} {class} {share}");
                    assert!(!sprite.outline.is_empty());
                }
            }
        }
    }

    #[test]
    fn the_worlds_share_no_class() {
        let source = names(World::Source);
        assert!(source.len() >= 20);
        let target = names(World::Target);
        assert_eq!(target.len(), 4);
        assert!(target.iter().all(|name| !source.contains(name)));
        let distinct: std::collections::BTreeSet<_> = source.iter().collect();
        assert_eq!(distinct.len(), source.len());
    }

    #[test]
    fn sampling_between_texels_and_levels_keeps_the_ink_and_ends_outside() {
        let sprite = sprite(World::Source, 13, 0);
        for level in 0..4 {
            assert!(sprite.sample(level, 0.0, 10.0)[3] > 250.0);
            assert_eq!(sprite.sample(level, 200.0, 0.0), [0.0; 4]);
        }
        assert_eq!(sprite.level_for(1.0), 0);
        assert_eq!(sprite.level_for(4.0), 2);
    }
}
