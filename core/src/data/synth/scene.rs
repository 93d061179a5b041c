//! Which objects a picture shows and where, independent of its resolution.

use super::colour::Tint;
use super::pose::{Pose, Shape};
use super::random::Random;
use super::sprites::{self, STYLES, Sprite};
use super::{SynthOptions, World};

/// Places tried per object before the best one is taken.
const TRIES: usize = 12;

/// An object whose best place still covers, or is covered by, this share of another is left out.
const CROWDED: f32 = 0.5;

/// How far an object may reach over the picture's edge, as a share of its size.
const OVERHANG: f32 = 0.2;

/// One sprite in a picture.
#[derive(Debug)]
pub(super) struct Object {
    pub class: usize,
    pub sprite: &'static Sprite,
    pub pose: Pose,
    pub tint: Tint,
    pub shadow: Shadow,
}

/// A soft drop shadow; lengths are fractions of the picture's side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shadow {
    pub offset: [f32; 2],
    pub blur: f32,
    pub strength: f32,
}

/// Objects from the lowest to the topmost. The topmost lies wholly inside the picture, so that no
/// picture is empty.
pub(super) fn arrange(random: &mut Random, options: &SynthOptions) -> Vec<Object> {
    let [fewest, most] = options.objects;
    let count = fewest + random.below(most - fewest + 1);
    let sun = random.direction();
    let mut objects: Vec<Object> = Vec::with_capacity(count);
    for k in 0..count {
        let topmost = k + 1 == count;
        let class = random.below(sprites::names(options.world).len());
        let sprite = sprites::sprite(options.world, class, random.below(STYLES));
        let longest = size(random, options.size);
        let shape = Shape::random(random, sprite, longest);
        let overhang = if topmost { 0.0 } else { OVERHANG };
        let (pose, overlap) = place(random, &shape, overhang, &objects);
        let object = Object {
            class,
            sprite,
            pose,
            tint: Tint::random(random, 1.0),
            shadow: Shadow::random(random, [sun.cos, sun.sin]),
        };
        if topmost || overlap <= CROWDED {
            objects.push(object);
        }
    }
    objects
}

/// Longest side of an object, more often small than large: lowest + span · u^1.5.
fn size(random: &mut Random, [smallest, largest]: [f32; 2]) -> f32 {
    let u = random.unit();
    smallest + (largest - smallest) * u * u.sqrt()
}

/// The first tried place whose overlap is tolerable, or the best one, and its overlap.
fn place(random: &mut Random, shape: &Shape, overhang: f32, placed: &[Object]) -> (Pose, f32) {
    let tolerated = random.range(0.0, 0.3);
    let try_place = |random: &mut Random| {
        let corner = shape.size.map(|size| {
            let over = size * overhang;
            random.range(-over, 1.0 - size + over)
        });
        let pose = shape.at(corner);
        let overlap = placed
            .iter()
            .map(|other| overlap(&pose.extent, &other.pose.extent))
            .fold(0.0, f32::max);
        (pose, overlap)
    };
    let mut best = try_place(random);
    for _ in 1..TRIES {
        if best.1 <= tolerated {
            break;
        }
        let next = try_place(random);
        if next.1 < best.1 {
            best = next;
        }
    }
    best
}

/// Shared area as a share of the smaller box.
fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let wide = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let tall = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let area = |e: &[f32; 4]| (e[2] - e[0]) * (e[3] - e[1]);
    wide * tall / area(a).min(area(b))
}

impl Shadow {
    fn random(random: &mut Random, sun: [f32; 2]) -> Self {
        let length = random.range(0.008, 0.035);
        Self {
            offset: sun.map(|axis| axis * length),
            blur: random.range(0.005, 0.02),
            strength: random.range(0.15, 0.5),
        }
    }
}

/// Streams of different worlds, seeds, splits and pictures share nothing.
pub(super) fn stream(options: &SynthOptions, split: super::Split, index: usize) -> Random {
    let world = match options.world {
        World::Source => 1,
        World::Target => 2,
    };
    let split = match split {
        super::Split::Train => 1,
        super::Split::Val => 2,
    };
    Random::new(&[world, options.seed, split, index as u64])
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::*;

    #[test]
    fn the_topmost_object_is_always_wholly_inside() {
        let options = SynthOptions::new(World::Source);
        for index in 0..300 {
            let objects = arrange(&mut stream(&options, Split::Train, index), &options);
            let [x0, y0, x1, y1] = objects[objects.len() - 1].pose.extent;
            // The corner and the size are rounded separately.
            assert!(x0 >= 0.0 && y0 >= 0.0 && x1 <= 1.00001 && y1 <= 1.00001);
            for object in &objects {
                let [x0, y0, x1, y1] = object.pose.extent;
                let longest = (x1 - x0).max(y1 - y0);
                assert!(longest > options.size[0] - 1e-5 && longest < options.size[1] + 1e-5);
            }
        }
    }

    #[test]
    fn overlap_is_measured_against_the_smaller_box() {
        assert_eq!(overlap(&[0.0, 0.0, 1.0, 1.0], &[0.5, 0.0, 1.0, 0.5]), 1.0);
        assert_eq!(overlap(&[0.0, 0.0, 0.5, 0.5], &[0.5, 0.5, 1.0, 1.0]), 0.0);
        assert_eq!(overlap(&[0.0, 0.0, 1.0, 1.0], &[0.5, 0.0, 1.5, 1.0]), 0.5);
    }
}
