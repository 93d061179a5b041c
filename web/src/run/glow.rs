//! Gradients as brightness.

/// Glow of a module that learns, when its gradient is the least that shows, in `0..=1`.
const DIM: f64 = 0.15;
/// Powers of ten over which gradients are told apart.
const DECADES: f64 = 3.0;

/// Gradients as glow: the largest is 1, and each power of ten less is a step down.
pub fn glow(gradients: &[(usize, f64)]) -> Vec<(usize, f64)> {
    let most = gradients.iter().map(|(_, norm)| *norm).fold(0.0, f64::max);
    let share = |norm: f64| {
        if norm <= 0.0 || most <= 0.0 {
            return 0.0;
        }
        (1.0 + (norm / most).log10() / DECADES).clamp(DIM, 1.0)
    };
    gradients
        .iter()
        .map(|(module, norm)| (*module, share(*norm)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_largest_gradient_is_a_third_less_bright() {
        let glow = glow(&[(10, 1.0), (13, 0.1), (24, 1e-9), (23, 0.0)]);
        assert_eq!(glow[0], (10, 1.0));
        assert!((glow[1].1 - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!((glow[2].1, glow[3].1), (DIM, 0.0));
        assert!(super::glow(&[(24, 0.0)]) == [(24, 0.0)]);
    }
}
