//! Where an object stands in a picture and how it is turned: a homography from the sprite to the
//! unit square, kept as its inverse because rendering asks "which texel is behind this pixel?".

use super::random::Random;
use super::sprites::{SPRITE_SIDE, Sprite};

type Matrix = [[f32; 3]; 3];

/// tan(25° / 2): objects turn by up to ±25°.
const TAN_HALF_TURN: f32 = 0.221_694_66;

/// An object's place in the picture.
#[derive(Debug, Clone)]
pub(super) struct Pose {
    /// Unit square → texels from the sprite's centre.
    inverse: Matrix,
    /// The ink's extent `[x0, y0, x1, y1]` in the unit square.
    pub extent: [f32; 4],
    /// Texels per unit of the square, about the sprite's centre.
    pub texels: f32,
}

/// A pose before it has a place: flip, squeeze, shear, keystone, turn and size.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    forward: Matrix,
    /// Corner of the ink's box nearest the origin.
    corner: [f32; 2],
    /// Width and height of the ink's box, fractions of the picture's side.
    pub size: [f32; 2],
    texels: f32,
}

impl Shape {
    /// A random shape whose ink spans `longest` of the picture's side.
    pub fn random(random: &mut Random, sprite: &Sprite, longest: f32) -> Self {
        let flip = if random.chance(0.5) { -1.0 } else { 1.0 };
        let squeeze = random.range(0.82, 1.0);
        let (wide, tall) = if random.chance(0.5) {
            (squeeze, 1.0)
        } else {
            (1.0, squeeze)
        };
        let shear = random.range(-0.12, 0.12);
        let keystone = [random.range(-0.28, 0.28), random.range(-0.28, 0.28)];
        let turn = random.turn(TAN_HALF_TURN);
        let unit = 1.0 / SPRITE_SIDE;
        let bent = [
            [flip * wide * unit, shear * unit, 0.0],
            [0.0, tall * unit, 0.0],
            [keystone[0] * unit, keystone[1] * unit, 1.0],
        ];
        let turned = product(
            [
                [turn.cos, -turn.sin, 0.0],
                [turn.sin, turn.cos, 0.0],
                [0.0, 0.0, 1.0],
            ],
            bent,
        );
        let [x0, y0, x1, y1] = extent(&turned, &sprite.outline);
        let scale = longest / (x1 - x0).max(y1 - y0);
        Self {
            forward: product(
                [[scale, 0.0, 0.0], [0.0, scale, 0.0], [0.0, 0.0, 1.0]],
                turned,
            ),
            corner: [x0 * scale, y0 * scale],
            size: [(x1 - x0) * scale, (y1 - y0) * scale],
            texels: SPRITE_SIDE / scale,
        }
    }

    /// The pose whose ink's box begins at `corner` in the unit square.
    pub fn at(&self, corner: [f32; 2]) -> Pose {
        let (dx, dy) = (corner[0] - self.corner[0], corner[1] - self.corner[1]);
        let forward = product(
            [[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]],
            self.forward,
        );
        Pose {
            inverse: inverse(&forward),
            extent: [
                corner[0],
                corner[1],
                corner[0] + self.size[0],
                corner[1] + self.size[1],
            ],
            texels: self.texels,
        }
    }
}

impl Pose {
    /// Texel offset from the sprite's centre that shows at `u`, `v` of the unit square; `None`
    /// near and beyond the keystone's horizon.
    pub fn texel(&self, u: f32, v: f32) -> Option<[f32; 2]> {
        let [x, y, w] = apply(&self.inverse, [u, v]);
        (w > 0.1).then(|| [x / w, y / w])
    }
}

fn apply(m: &Matrix, [x, y]: [f32; 2]) -> [f32; 3] {
    std::array::from_fn(|i| m[i][0] * x + m[i][1] * y + m[i][2])
}

fn product(a: Matrix, b: Matrix) -> Matrix {
    std::array::from_fn(|i| {
        std::array::from_fn(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j] + a[i][2] * b[2][j])
    })
}

fn inverse(m: &Matrix) -> Matrix {
    let minor =
        |r0: usize, c0: usize, r1: usize, c1: usize| m[r0][c0] * m[r1][c1] - m[r0][c1] * m[r1][c0];
    let determinant =
        m[0][0] * minor(1, 1, 2, 2) - m[0][1] * minor(1, 0, 2, 2) + m[0][2] * minor(1, 0, 2, 1);
    [
        [minor(1, 1, 2, 2), -minor(0, 1, 2, 2), minor(0, 1, 1, 2)],
        [-minor(1, 0, 2, 2), minor(0, 0, 2, 2), -minor(0, 0, 1, 2)],
        [minor(1, 0, 2, 1), -minor(0, 0, 2, 1), minor(0, 0, 1, 1)],
    ]
    .map(|row| row.map(|cofactor| cofactor / determinant))
}

fn extent(forward: &Matrix, outline: &[[f32; 2]]) -> [f32; 4] {
    let mut extent = [f32::MAX, f32::MAX, f32::MIN, f32::MIN];
    for point in outline {
        let [x, y, w] = apply(forward, *point);
        let (x, y) = (x / w, y / w);
        extent = [
            extent[0].min(x),
            extent[1].min(y),
            extent[2].max(x),
            extent[3].max(y),
        ];
    }
    extent
}

#[cfg(test)]
mod tests {
    use super::super::{World, sprites};
    use super::*;

    #[test]
    fn a_pose_maps_back_to_the_texels_it_came_from_and_fills_its_extent() {
        let mut random = Random::new(&[11]);
        for class in 0..24 {
            let sprite = sprites::sprite(World::Source, class, class % 3);
            let shape = Shape::random(&mut random, sprite, 0.4);
            // The longest side is a quotient of f32 sums.
            assert!((shape.size[0].max(shape.size[1]) - 0.4).abs() < 1e-5);
            let pose = shape.at([0.3, 0.2]);
            for point in &sprite.outline {
                let shift = [0.3 - shape.corner[0], 0.2 - shape.corner[1]];
                let [x, y, w] = apply(&shape.forward, *point);
                let (u, v) = (x / w + shift[0], y / w + shift[1]);
                assert!(u >= pose.extent[0] - 1e-5 && u <= pose.extent[2] + 1e-5);
                assert!(v >= pose.extent[1] - 1e-5 && v <= pose.extent[3] + 1e-5);
                let back = pose.texel(u, v).expect("the ink lies before the horizon");
                // A hundredth of a texel: f32 through two projective maps.
                assert!((back[0] - point[0]).abs() < 0.01 && (back[1] - point[1]).abs() < 0.01);
            }
        }
    }
}
