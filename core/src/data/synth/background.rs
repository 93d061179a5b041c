//! Procedural textures to place objects on: clouds, gradients, stripes, checks, dots, blobs, paper,
//! wood and bricks, all roughened by noise.

use super::colour::{Rgb, blend, from_hsv};
use super::random::{Random, Turn, split};

/// Value noise in several octaves over the unit square, tiling at its edges.
struct Fractal {
    octaves: Vec<Octave>,
}

struct Octave {
    cells: usize,
    values: Vec<f32>,
    weight: f32,
}

impl Fractal {
    /// `cells` lattice cells a side in the first octave, twice as many in each further one.
    fn new(random: &mut Random, cells: usize, octaves: u32) -> Self {
        // Halving weights; normalised so that the sum stays in 0..=1.
        let total = 2.0 - 1.0 / (1u32 << (octaves - 1)) as f32;
        let octaves = (0..octaves)
            .map(|k| {
                let cells = cells << k;
                Octave {
                    cells,
                    values: (0..cells * cells).map(|_| random.unit()).collect(),
                    weight: 1.0 / (total * (1u32 << k) as f32),
                }
            })
            .collect();
        Self { octaves }
    }

    fn at(&self, u: f32, v: f32) -> f32 {
        let mut sum = 0.0;
        for octave in &self.octaves {
            let n = octave.cells;
            let ((left, fx), (top, fy)) = (split(u * n as f32), split(v * n as f32));
            let (fx, fy) = (smooth(fx), smooth(fy));
            let wrap = |i: i32| match usize::try_from(i) {
                Ok(i) if i < n => i,
                _ => i.rem_euclid(n as i32) as usize,
            };
            let (x0, y0) = (wrap(left), wrap(top));
            let x1 = if x0 + 1 == n { 0 } else { x0 + 1 };
            let y1 = if y0 + 1 == n { 0 } else { y0 + 1 };
            let upper = lerp(octave.values[y0 * n + x0], octave.values[y0 * n + x1], fx);
            let lower = lerp(octave.values[y1 * n + x0], octave.values[y1 * n + x1], fx);
            sum += octave.weight * lerp(upper, lower, fy);
        }
        sum
    }
}

fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// 3t² − 2t³.
fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// 0 below `edge`, 1 above, over a ramp of `width`.
fn step(edge: f32, width: f32, x: f32) -> f32 {
    smooth(((x - edge) / width + 0.5).clamp(0.0, 1.0))
}

/// 0 → 1 → 0 over each unit of `x`.
fn triangle(x: f32) -> f32 {
    1.0 - (2.0 * split(x).1 - 1.0).abs()
}

fn turned(turn: Turn, u: f32, v: f32) -> (f32, f32) {
    let (x, y) = (u - 0.5, v - 0.5);
    (
        x * turn.cos + y * turn.sin + 0.5,
        y * turn.cos - x * turn.sin + 0.5,
    )
}

/// What decides, at a point of the unit square, between the first colour (0) and the second (1).
enum Pattern {
    Clouds,
    Gradient,
    Stripes { count: f32, share: f32, wobble: f32 },
    Checks { count: f32 },
    Dots { count: f32, radius: f32 },
    Blobs(Vec<Blob>),
    Paper { fibres: f32 },
    Wood { rings: f32, wobble: f32 },
    Bricks { rows: f32, mortar: f32 },
}

struct Blob {
    centre: [f32; 2],
    radius: [f32; 2],
    turn: Turn,
    shade: f32,
}

impl Pattern {
    fn random(random: &mut Random) -> Self {
        match random.below(9) {
            0 => Self::Clouds,
            1 => Self::Gradient,
            2 => Self::Stripes {
                count: random.range(2.5, 12.0),
                share: random.range(0.25, 0.75),
                wobble: random.range(0.0, 1.2),
            },
            3 => Self::Checks {
                count: random.range(2.0, 8.0),
            },
            4 => Self::Dots {
                count: random.range(3.0, 9.0),
                radius: random.range(0.15, 0.4),
            },
            5 => {
                let count = 6 + random.below(14);
                Self::Blobs((0..count).map(|_| Blob::random(random)).collect())
            }
            6 => Self::Paper {
                fibres: random.range(0.1, 0.5),
            },
            7 => Self::Wood {
                rings: random.range(3.0, 9.0),
                wobble: random.range(0.5, 2.0),
            },
            _ => {
                let rows = random.range(4.0, 10.0);
                Self::Bricks {
                    rows,
                    mortar: random.range(0.06, 0.14),
                }
            }
        }
    }

    /// `pixel` is a pixel's side in the unit square: edges are ramps of some 1.5 of it.
    fn at(&self, (u, v): (f32, f32), broad: f32, grain: &Fractal, pixel: f32) -> f32 {
        match self {
            Self::Clouds => ((broad - 0.5) * 2.2 + 0.5).clamp(0.0, 1.0),
            Self::Gradient => (u * 0.9 + 0.1 * broad).clamp(0.0, 1.0),
            Self::Stripes {
                count,
                share,
                wobble,
            } => {
                let wave = triangle(u * count + broad * wobble);
                step(*share, 3.0 * count * pixel, wave)
            }
            Self::Checks { count } => {
                let soft = 3.0 * count * pixel;
                let (a, b) = (
                    step(0.5, soft, triangle(u * count)),
                    step(0.5, soft, triangle(v * count)),
                );
                a + b - 2.0 * a * b
            }
            Self::Dots { count, radius } => {
                let (x, y) = (u * count, v * count);
                let (row, fy) = split(y);
                let shift = if row & 1 == 0 { 0.0 } else { 0.5 };
                let (dx, dy) = (split(x + shift).1 - 0.5, fy - 0.5);
                1.0 - step(*radius, 1.5 * count * pixel, (dx * dx + dy * dy).sqrt())
            }
            Self::Blobs(blobs) => blobs.iter().fold(0.15, |shade, blob| {
                let (x, y) = (u - blob.centre[0], v - blob.centre[1]);
                let x1 = (x * blob.turn.cos + y * blob.turn.sin) / blob.radius[0];
                let y1 = (y * blob.turn.cos - x * blob.turn.sin) / blob.radius[1];
                let soft = 1.5 * pixel / blob.radius[0].min(blob.radius[1]);
                let inside = 1.0 - step(1.0, soft, (x1 * x1 + y1 * y1).sqrt());
                lerp(shade, blob.shade, inside)
            }),
            Self::Paper { fibres } => {
                let fibre = grain.at(u * 0.25, v * 2.0);
                0.25 + 0.3 * broad + fibres * (fibre - 0.5)
            }
            Self::Wood { rings, wobble } => {
                let ring = triangle(v * rings + broad * wobble);
                let fibre = grain.at(u * 0.2, v * 3.0);
                (0.7 * ring * ring + 0.5 * fibre - 0.1).clamp(0.0, 1.0)
            }
            Self::Bricks { rows, mortar } => {
                let (row, fy) = split(v * rows);
                let shift = if row & 1 == 0 { 0.0 } else { 0.5 };
                let (column, fx) = split(u * rows * 0.5 + shift);
                let edge = (fx.min(1.0 - fx) * 2.0).min(fy.min(1.0 - fy));
                let brick = step(*mortar, 1.5 * rows * pixel, edge);
                // Each brick has its own shade.
                let own = grain.at(column as f32 * 0.137, row as f32 * 0.173);
                brick * (0.6 + 0.4 * own)
            }
        }
    }
}

impl Blob {
    fn random(random: &mut Random) -> Self {
        Self {
            centre: [random.unit(), random.unit()],
            radius: [random.range(0.05, 0.22), random.range(0.05, 0.22)],
            turn: random.direction(),
            shade: random.unit(),
        }
    }
}

/// Two related colours: background contrast should be visible, yet calmer than the objects.
fn palette(random: &mut Random) -> [Rgb; 2] {
    let colour = |random: &mut Random| {
        let (hue, saturation) = (random.unit(), random.range(0.05, 0.6));
        from_hsv(hue, saturation, random.range(0.25, 0.95))
    };
    let first = colour(random);
    let other = colour(random);
    let distance = random.range(0.3, 0.8);
    [first, blend(first, other, distance)]
}

/// A background of `side` × `side` pixels, row-major.
pub(super) fn paint(random: &mut Random, side: usize) -> Vec<Rgb> {
    let [first, second] = palette(random);
    let pattern = Pattern::random(random);
    let turn = if random.chance(0.5) {
        random.direction()
    } else {
        random.turn(0.1)
    };
    let cells = 2 + random.below(3);
    let broad = Fractal::new(random, cells, 3);
    let grain = Fractal::new(random, 16, 2);
    let mottle = random.range(0.05, 0.22);
    let roughness = random.range(0.02, 0.12);
    let pixel = 1.0 / side as f32;
    let mut pixels = Vec::with_capacity(side * side);
    for y in 0..side {
        for x in 0..side {
            let (u, v) = ((x as f32 + 0.5) * pixel, (y as f32 + 0.5) * pixel);
            let wide = broad.at(u, v);
            let t = pattern.at(turned(turn, u, v), wide, &grain, pixel);
            let shade =
                1.0 + mottle * (wide - 0.5) * 2.0 + roughness * (grain.at(u, v) - 0.5) * 2.0;
            pixels.push(blend(first, second, t).map(|c| c * shade));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backgrounds_are_finite_and_differ() {
        let mut means = Vec::new();
        for seed in 0..40 {
            let pixels = paint(&mut Random::new(&[seed]), 32);
            assert_eq!(pixels.len(), 32 * 32);
            assert!(pixels.iter().flatten().all(|c| (0.0..=1.6).contains(c)));
            means.push(pixels.iter().map(|p| p[0]).sum::<f32>() / 1024.0);
        }
        means.sort_by(f32::total_cmp);
        assert!(means[39] - means[0] > 0.3);
    }

    #[test]
    fn noise_stays_in_the_unit_range_and_tiles() {
        let noise = Fractal::new(&mut Random::new(&[5]), 3, 3);
        for i in 0..50 {
            let u = i as f32 / 49.0;
            assert!((0.0..=1.0).contains(&noise.at(u, 0.3)));
        }
        // Rounding of 1 × cells in f32 moves the sample by less than this.
        assert!((noise.at(0.0, 0.4) - noise.at(1.0, 0.4)).abs() < 1e-5);
    }
}
