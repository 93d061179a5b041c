//! Colours: twenty for classes, a scale for counts, inks for charts.

/// A colour and how much it covers what lies under it (0 … 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ink {
    pub rgb: [u8; 3],
    pub alpha: f32,
}

impl Ink {
    pub const fn new(rgb: [u8; 3]) -> Self {
        Self { rgb, alpha: 1.0 }
    }

    pub const fn hex(rgb: u32) -> Self {
        Self::new(hex(rgb))
    }

    pub const fn alpha(self, alpha: f32) -> Self {
        Self { alpha, ..self }
    }
}

pub const TEXT: Ink = Ink::hex(0x0021_2529);
pub const MUTED: Ink = Ink::hex(0x0049_5057);
pub const AXIS: Ink = Ink::hex(0x0086_8e96);
pub const GRID: Ink = Ink::hex(0x00e9_ecef);
pub const STRONG: Ink = Ink::hex(0x001c_3f94);
pub const WHITE: Ink = Ink::hex(0x00ff_ffff);
pub const BLACK: Ink = Ink::hex(0x0000_0000);

const fn hex(rgb: u32) -> [u8; 3] {
    let [_, r, g, b] = rgb.to_be_bytes();
    [r, g, b]
}

/// Told apart from each other, on white and on photographs.
const CLASSES: [[u8; 3]; 20] = [
    hex(0x002f_6fde), // blue
    hex(0x00e8_590c), // orange
    hex(0x002b_9a3f), // green
    hex(0x00d6_336c), // raspberry
    hex(0x007a_4bd0), // violet
    hex(0x000c_9aa6), // teal
    hex(0x00c9_9a00), // gold
    hex(0x009c_4a1a), // brown
    hex(0x00c2_3bd1), // magenta
    hex(0x005c_9e00), // leaf
    hex(0x001c_3f94), // navy
    hex(0x00e0_3131), // red
    hex(0x0012_b886), // mint
    hex(0x00f0_8c00), // amber
    hex(0x008a_2b52), // wine
    hex(0x004d_abf7), // sky
    hex(0x006b_7a1e), // olive
    hex(0x00f7_83ac), // pink
    hex(0x0049_5867), // slate
    hex(0x00a9_8467), // tan
];

/// A class's colour; after twenty classes the colours repeat.
pub fn of_class(class: usize) -> Ink {
    Ink::new(CLASSES[class % CLASSES.len()])
}

/// Black or white, whichever is easier to read on `background`.
pub fn contrast(background: [u8; 3]) -> Ink {
    let [r, g, b] = background.map(|v| (f32::from(v) / 255.0).powf(2.2));
    let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    // Where the contrast ratios (L + 0.05) / 0.05 and 1.05 / (L + 0.05) meet, moved up a little:
    // white looks calmer on saturated colours.
    if luminance > 0.32 { BLACK } else { WHITE }
}

/// White through blue to navy for 0 … 1.
pub fn scale(value: f64) -> [u8; 3] {
    const STOPS: [[u8; 3]; 6] = [
        hex(0x00ff_ffff),
        hex(0x00dc_e9f9),
        hex(0x00a6_c8ee),
        hex(0x005a_97db),
        hex(0x0024_61b5),
        hex(0x0010_2f6b),
    ];
    let value = if value.is_finite() { value } else { 0.0 };
    let position = value.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let index = (position as usize).min(STOPS.len() - 2);
    let part = position - index as f64;
    let (from, to) = (STOPS[index], STOPS[index + 1]);
    std::array::from_fn(|i| {
        (f64::from(from[i]) * (1.0 - part) + f64::from(to[i]) * part).round() as u8
    })
}
