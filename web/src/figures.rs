//! Numbers as people read them, with their units.

/// A count with a comma between thousands: `1,872,157`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Floating-point operations with three digits: `126 GFLOPs`.
pub fn flops(count: u64) -> String {
    scaled(
        count,
        1000.0,
        &["FLOPs", "kFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs"],
    )
}

/// Bytes with three digits in powers of 1024: `39.8 MiB`.
pub fn bytes(count: u64) -> String {
    scaled(count, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// How many times `less` fits into `full`: `1.70`, `18.4`, `169`.
pub fn ratio(full: u64, less: u64) -> String {
    three_digits(full as f64 / less.max(1) as f64)
}

/// The share of `part` in `whole` in whole per cent; 0 % and 100 % only where that is exactly so.
pub fn percent(part: u64, whole: u64) -> String {
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    let rounded = match share.round() as u64 {
        0 if part > 0 => 1,
        100 if part < whole => 99,
        rounded => rounded,
    };
    format!("{rounded}%")
}

/// `64×80×80`.
pub fn shape(sides: &[usize]) -> String {
    let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
    sides.join("×")
}

fn scaled(count: u64, step: f64, units: &[&str]) -> String {
    let mut value = count as f64;
    let mut unit = 0;
    // From 999.5 on a number would be written with four digits.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        return format!("{count} {name}");
    }
    format!("{} {name}", three_digits(value))
}

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (86_749_405, "86,749,405"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }

    #[test]
    fn large_numbers_have_three_digits_and_a_unit() {
        assert_eq!(flops(0), "0 FLOPs");
        assert_eq!(flops(999), "999 FLOPs");
        assert_eq!(flops(1_000), "1.00 kFLOPs");
        assert_eq!(flops(126_360_000_000), "126 GFLOPs");
        assert_eq!(flops(999_600_000), "1.00 GFLOPs");
        assert_eq!(flops(9_996_000_000_000), "10.0 TFLOPs");
        assert_eq!(bytes(1024), "1.00 KiB");
        assert_eq!(bytes(41_733_120), "39.8 MiB");
        assert_eq!(bytes(u64::MAX), "16384 PiB");
    }

    #[test]
    fn shares_round_without_claiming_all_or_nothing() {
        assert_eq!(percent(1, 1000), "1%");
        assert_eq!(percent(999, 1000), "99%");
        assert_eq!(percent(0, 5), "0%");
        assert_eq!(percent(5, 5), "100%");
        assert_eq!(percent(0, 0), "0%");
        assert_eq!(ratio(170, 100), "1.70");
        assert_eq!(ratio(184, 10), "18.4");
        assert_eq!(ratio(5, 0), "5.00");
    }
}
