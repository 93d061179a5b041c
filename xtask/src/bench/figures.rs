//! Figures of single runs, and what they come to.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::cases::Case;

/// What one run of either program said.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Median of its steps.
    pub step_ms: f64,
    pub memory_growth_mib: Option<f64>,
    /// Loss of the first step, or mean of the decoded boxes.
    pub check: f64,
}

impl Figures {
    /// Runs a command that prints its figures as JSON.
    pub fn of(command: &mut Command) -> Result<Self> {
        let output = command
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{command:?}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{command:?} failed ({}): {said}", output.status);
        }
        let json: Value =
            serde_json::from_slice(&output.stdout).with_context(|| format!("{command:?}"))?;
        let number = |value: &Value, what: &str| {
            value
                .as_f64()
                .with_context(|| format!("{command:?} printed no {what}: {json}"))
        };
        Ok(Self {
            step_ms: number(&json["step_ms"]["median"], "step_ms")?,
            memory_growth_mib: json["memory_growth_mib"].as_f64(),
            check: number(&json["check"], "check")?,
        })
    }
}

/// A case with its rounds: ours, PyTorch, PyTorch's other way.
#[derive(Debug)]
pub struct Measured {
    pub case: Case,
    pub rounds: Vec<[Figures; 3]>,
}

impl Measured {
    pub fn new(case: Case) -> Self {
        Self {
            case,
            rounds: Vec::new(),
        }
    }

    fn median_ms(&self, program: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[program].step_ms))
    }

    /// Of the rounds, each with itself, so that what slows a round down does not count.
    fn ratio(&self, program: usize) -> f64 {
        median(
            self.rounds
                .iter()
                .map(|round| round[0].step_ms / round[program].step_ms),
        )
    }

    fn growth_mib(&self, program: usize) -> Option<f64> {
        let known: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|round| round[program].memory_growth_mib)
            .collect();
        (!known.is_empty()).then(|| median(known.into_iter()))
    }
}

/// The middle one, or the mean of the middle two; NaN of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// A figure beside its bar: `0.85 (≤ 0.90)`, bold when it is missed.
pub fn against(figure: f64, bar: Option<f64>, digits: usize) -> String {
    let Some(bar) = bar else {
        return format!("{figure:.digits$}");
    };
    let told = format!("{bar:.digits$}");
    if figure <= bar {
        return format!("{figure:.digits$} (≤ {told})");
    }
    // One that misses its bar must not look as if it met it.
    let digits = digits + usize::from(format!("{figure:.digits$}") == told);
    format!("**{figure:.digits$}** (≤ {told})")
}

/// The table of all cases. On a GPU it shows pictures per second; the memory there is the driver's affair.
pub fn table(measured: &[Measured], titles: [&str; 2], gpu: bool) -> String {
    let [first, second] = titles;
    if measured.is_empty() {
        return String::new();
    }
    let mut text = if gpu {
        format!(
            "Pictures per second; the ratio is time of Frostline / time of {first}, with its bar.\n\n\
             | case | Frostline | {first} | {second} | ratio |\n|---|---:|---:|---:|---:|\n"
        )
    } else {
        format!(
            "Milliseconds per step, and growth of peak memory in MiB over the idle program; the ratio is time of Frostline / \
             time of {first}. Bars in brackets; what misses its bar is bold.\n\n\
             | case | Frostline ms | {first} ms | {second} ms | ratio | Frostline MiB | {first} MiB |\n\
             |---|---:|---:|---:|---:|---:|---:|\n"
        )
    };
    for each in measured {
        let case = each.case;
        let ratio = against(each.ratio(1), case.time_bar, 2);
        let [ours, theirs, other] = [0, 1, 2].map(|program| each.median_ms(program));
        let name = case.name();
        text += &if gpu {
            let rate = |ms: f64| case.batch as f64 * 1e3 / ms;
            format!(
                "| {name} | {:.0} | {:.0} | {:.0} | {ratio} |\n",
                rate(ours),
                rate(theirs),
                rate(other)
            )
        } else {
            let growth = |program, bar| {
                each.growth_mib(program)
                    .map_or_else(|| "not known".to_owned(), |mib| against(mib, bar, 0))
            };
            format!(
                "| {name} | {ours:.1} | {theirs:.1} | {other:.1} | {ratio} | {} | {} |\n",
                growth(0, case.memory_bar_mib),
                growth(1, None)
            )
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::cases;
    use super::*;

    fn figures(step_ms: f64) -> Figures {
        Figures {
            step_ms,
            memory_growth_mib: Some(40.0),
            check: 1.0,
        }
    }

    #[test]
    fn a_slow_round_does_not_change_the_ratio() {
        let mut measured = Measured::new(cases::CPU[5]);
        for slow in [1.0, 3.0, 1.0] {
            measured
                .rounds
                .push([50.0, 100.0, 80.0].map(|ms| figures(ms * slow)));
        }
        assert_eq!(measured.ratio(1), 0.5);
        let table = table(&[measured], ["PyTorch", "other"], false);
        let last = table.lines().last();
        assert_eq!(
            last,
            Some(
                "| n, 320 px, batch 4, freeze 24 | 50.0 | 100.0 | 80.0 | 0.50 (≤ 0.60) | **40** (≤ 25) | 40 |"
            )
        );
    }

    #[test]
    fn what_misses_its_bar_by_little_shows_it() {
        assert_eq!(against(0.449, Some(0.45), 2), "0.45 (≤ 0.45)");
        assert_eq!(against(0.452, Some(0.45), 2), "**0.452** (≤ 0.45)");
        assert_eq!(against(0.46, Some(0.45), 2), "**0.46** (≤ 0.45)");
        assert_eq!(against(31.2, None, 0), "31");
    }

    #[test]
    fn the_median_lies_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
