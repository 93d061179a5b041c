//! How moving the frost line and clicking modules change a freeze plan's text.

use frostline::freeze::{ModuleState, Stage};
use frostline::model::Architecture;
use frostline::model::architecture::ModuleKind;

/// The places where the frost line can stand: how many leading modules lie before it. Modules
/// without parameters go with what they read, so that there is no stop between 10 and 13.
///
/// The last stop leaves the last module (Detect) to learn.
pub fn stops(architecture: &Architecture) -> Vec<usize> {
    let modules = &architecture.modules;
    (0..modules.len())
        .filter(|&at| {
            modules
                .get(at)
                .is_none_or(|module| module.kind.has_parameters())
        })
        .collect()
}

/// The stop that freezing `leading` modules leads to.
pub fn stop_for(stops: &[usize], leading: usize) -> usize {
    let next = stops.iter().copied().find(|&stop| stop >= leading);
    next.or(stops.last().copied()).unwrap_or(0)
}

/// The stop that is `by` stops further; at the ends it stays.
pub fn stop_beside(stops: &[usize], at: usize, by: isize) -> usize {
    let index = stops.iter().position(|&stop| stop >= at).unwrap_or(0);
    let index = index
        .saturating_add_signed(by)
        .min(stops.len().saturating_sub(1));
    stops.get(index).copied().unwrap_or(0)
}

/// The stop nearest to a place, of which `place` tells where each stop is.
pub fn stop_near(stops: &[usize], to: f64, place: impl Fn(usize) -> f64) -> usize {
    let distance = |stop: usize| (place(stop) - to).abs();
    let nearest = stops
        .iter()
        .copied()
        .min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    nearest.unwrap_or(0)
}

/// The set of one stage of a plan's text, without its epoch.
pub fn set_of_stage(plan: &str, stage: usize) -> &str {
    let text = plan.split(';').nth(stage).unwrap_or("0");
    text.split('@').next().unwrap_or(text).trim()
}

/// The plan's text with the set of one stage replaced.
pub fn with_set(plan: &str, stage: usize, set: &str) -> String {
    let mut stages: Vec<String> = plan.split(';').map(|text| text.trim().to_owned()).collect();
    if let Some(text) = stages.get_mut(stage) {
        *text = match text.split_once('@') {
            Some((_, epoch)) => format!("{set}@{}", epoch.trim()),
            None => set.to_owned(),
        };
    }
    stages.join("; ")
}

/// The set of a stage with one module frozen or thawed: frozen when any of it trains, otherwise
/// thawed. `None` when that cannot be: the module has no parameters, or nothing would be left to
/// train.
pub fn toggled(
    architecture: &Architecture,
    stage: &Stage,
    set: &str,
    module: usize,
) -> Option<String> {
    let row = architecture.modules.get(module)?;
    if !row.kind.has_parameters() {
        return None;
    }
    let freezes = stage.states.get(module) != Some(&ModuleState::Frozen);
    let mut others = (architecture.modules.iter().zip(&stage.states))
        .filter(|(other, _)| other.index != module && other.kind.has_parameters());
    if others.any(|(_, state)| *state == ModuleState::Partly) {
        // Names inside modules: what is there stays, the module is added or taken away.
        let sign = if freezes { "" } else { "!" };
        return Some(format!("{},{sign}{module}", set.trim()));
    }
    let mut frozen: Vec<bool> = (stage.states.iter())
        .map(|state| *state == ModuleState::Frozen)
        .collect();
    frozen[module] = freezes;
    set_of(architecture, &frozen)
}

/// The shortest set that freezes the given modules with parameters, and no others. `None` when no
/// module with parameters is left to train.
fn set_of(architecture: &Architecture, frozen: &[bool]) -> Option<String> {
    let learners: Vec<(usize, bool)> = (architecture.modules.iter().zip(frozen))
        .filter(|(module, _)| module.kind.has_parameters())
        .map(|(module, frozen)| (module.index, *frozen))
        .collect();
    if learners.iter().all(|(_, frozen)| *frozen) {
        return None;
    }
    let runs: Vec<(usize, usize)> = learners
        .chunk_by(|a, b| a.1 == b.1)
        .filter(|run| run.iter().any(|(_, frozen)| *frozen))
        .filter_map(|run| Some((run.first()?.0, run.last()?.0)))
        .collect();
    Some(match runs[..] {
        [] => "0".to_owned(),
        [(0, last)] => (last + 1).to_string(),
        [(first, last)] if first == last => format!("={first}"),
        _ => {
            let terms = runs.iter().map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            });
            terms.collect::<Vec<_>>().join(",")
        }
    })
}

/// A small memory for digits typed one after the other: `1`, then `0`, is 10.
#[derive(Debug, Clone, Copy, Default)]
pub struct Digits {
    value: usize,
    at_ms: f64,
}

impl Digits {
    /// Longest pause between digits of one number.
    const PAUSE_MS: f64 = 900.0;

    /// Takes a digit typed at a time and says the number so far. A digit that would lead beyond
    /// `most` begins a new number.
    pub fn push(&mut self, digit: usize, at_ms: f64, most: usize) -> usize {
        let goes_on = at_ms - self.at_ms <= Self::PAUSE_MS;
        let longer = self.value * 10 + digit;
        self.value = if goes_on && longer <= most {
            longer
        } else {
            digit
        };
        self.at_ms = at_ms;
        self.value
    }
}

/// The last modules of backbone, neck and Detect, as `(first, last)`.
pub fn shores(architecture: &Architecture) -> [(usize, usize); 3] {
    let last = architecture.modules.len().saturating_sub(1);
    let backbone = architecture.backbone.min(last);
    debug_assert!(matches!(
        architecture.modules.last().map(|m| &m.kind),
        Some(ModuleKind::Detect { .. })
    ));
    [
        (0, backbone.saturating_sub(1)),
        (backbone, last.saturating_sub(1)),
        (last, last),
    ]
}

#[cfg(test)]
mod tests {
    use frostline::freeze::FreezePlan;
    use frostline::model::Size;

    use super::*;

    fn architecture() -> Architecture {
        Architecture::yolov5(Size::N, 80)
    }

    fn stage(text: &str) -> Stage {
        let spec = text.parse().unwrap();
        let plan = FreezePlan::resolve(&spec, &architecture()).unwrap();
        plan.stages[0].clone()
    }

    fn toggle(text: &str, module: usize) -> Option<String> {
        toggled(&architecture(), &stage(text), text, module)
    }

    #[test]
    fn every_stop_is_the_cut_of_its_own_number() {
        let stops = stops(&architecture());
        assert_eq!(stops.first(), Some(&0));
        assert_eq!(stops.last(), Some(&24));
        for &stop in &stops {
            assert_eq!(stage(&stop.to_string()).cut.prefix, stop);
        }
        // And no number leads anywhere else.
        for leading in 0..=24 {
            assert_eq!(
                stage(&leading.to_string()).cut.prefix,
                stop_for(&stops, leading)
            );
        }
    }

    #[test]
    fn steps_pass_over_modules_without_parameters() {
        let stops = stops(&architecture());
        assert_eq!(stop_beside(&stops, 10, 1), 13);
        assert_eq!(stop_beside(&stops, 13, -1), 10);
        assert_eq!(stop_beside(&stops, 0, -1), 0);
        assert_eq!(stop_beside(&stops, 24, 1), 24);
        assert_eq!(stop_near(&stops, 11.8, |stop| stop as f64), 13);
        assert_eq!(stop_near(&stops, 11.2, |stop| stop as f64), 10);
    }

    #[test]
    fn a_click_changes_one_module_and_nothing_else() {
        let architecture = architecture();
        for text in ["0", "10", "24", "=5", "0-3,7", "backbone,!9", "neck", "13"] {
            let before = stage(text);
            for module in 0..24 {
                let learns = architecture.modules[module].kind.has_parameters();
                let Some(set) = toggle(text, module) else {
                    assert!(!learns, "{text} {module}");
                    continue;
                };
                let after = stage(&set);
                for (index, parameter) in architecture.parameters().iter().enumerate() {
                    let changed = before.frozen[index] != after.frozen[index];
                    assert_eq!(changed, parameter.module == module, "{text} {module} {set}");
                }
            }
        }
    }

    #[test]
    fn the_sets_are_short() {
        assert_eq!(toggle("10", 10).as_deref(), Some("11"));
        assert_eq!(toggle("10", 5).as_deref(), Some("0-4,6-9"));
        assert_eq!(toggle("0", 5).as_deref(), Some("=5"));
        assert_eq!(toggle("1", 0).as_deref(), Some("0"));
        // Between 10 and 13 there is nothing to name.
        assert_eq!(toggle("11", 13).as_deref(), Some("14"));
        assert_eq!(toggle("24", 24), None);
        assert_eq!(toggle("10", 11), None);
    }

    #[test]
    fn patterns_stay_when_a_module_is_clicked() {
        let text = "model.2.cv1.*,=7";
        let text = text.replace('=', "");
        assert_eq!(toggle(&text, 5).as_deref(), Some("model.2.cv1.*,7,5"));
        assert_eq!(toggle(&text, 7).as_deref(), Some("model.2.cv1.*,7,!7"));
        // The module of the pattern itself becomes whole.
        assert_eq!(toggle("model.2.cv1.*", 2).as_deref(), Some("=2"));
        assert_eq!(toggle("model.17.cv1.*", 17).as_deref(), Some("=17"));
        assert!(stage("model.2.cv1.*,7,!7").states[7] == ModuleState::Trains);
    }

    #[test]
    fn one_stage_changes_and_the_others_stay() {
        let plan = "24; 10@5;0 @ 20";
        assert_eq!(with_set(plan, 0, "=3"), "=3; 10@5; 0 @ 20");
        assert_eq!(with_set(plan, 1, "7"), "24; 7@5; 0 @ 20");
        assert_eq!(with_set(plan, 2, "1"), "24; 10@5; 1@20");
        assert_eq!(with_set("10", 0, "24"), "24");
        assert_eq!(set_of_stage(plan, 1), "10");
        assert_eq!(set_of_stage(plan, 2), "0");
    }

    #[test]
    fn digits_make_numbers_while_they_come_quickly() {
        let mut digits = Digits::default();
        assert_eq!(digits.push(1, 10_000.0, 24), 1);
        assert_eq!(digits.push(0, 10_200.0, 24), 10);
        assert_eq!(digits.push(5, 10_400.0, 24), 5);
        assert_eq!(digits.push(2, 20_000.0, 24), 2);
        assert_eq!(digits.push(4, 20_500.0, 24), 24);
        assert_eq!(digits.push(7, 30_000.0, 24), 7);
    }

    #[test]
    fn the_shores_cover_the_network() {
        assert_eq!(shores(&architecture()), [(0, 9), (10, 23), (24, 24)]);
    }
}
