//! A freeze spec resolved against an architecture: what is frozen when, where the cut lies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::spec::FreezeSpec;
use crate::error::{Error, Result};
use crate::model::Architecture;
use crate::model::architecture::ParameterKind;

/// The flag that allows frozen modules without transferred weights; see
/// [`FreezePlan::check_transferred`].
pub const OVERRIDE_FLAG: &str = "--allow-untransferred";

/// The resolved plan: one stage per epoch range. Made by [`FreezePlan::resolve`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FreezePlan {
    /// What was asked for.
    pub spec: FreezeSpec,
    /// Stages in order of their first epoch; never empty, the first starts at 0.
    pub stages: Vec<Stage>,
}

/// What is frozen from `from_epoch` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// First epoch of this stage.
    pub from_epoch: usize,
    /// Per parameter of [`Architecture::parameters`], whether it is frozen.
    pub frozen: Vec<bool>,
    /// Per module: all its parameters are frozen (modules without parameters: everything they read is frozen).
    pub frozen_modules: Vec<bool>,
    /// Per module, for people: how much of it is frozen.
    pub states: Vec<ModuleState>,
    /// Prefixes of BatchNorms whose statistics are fixed, such as `model.2.cv1.bn`: those whose
    /// weight and bias are both frozen.
    pub fixed_norms: BTreeSet<String>,
    /// The cut.
    pub cut: Cut,
    /// How much is frozen.
    pub counts: Counts,
}

/// How much of a module is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// All its parameters. A module without parameters is frozen in the frozen prefix, and elsewhere
    /// as the next module with parameters is.
    Frozen,
    /// Some of its parameters.
    Partly,
    /// None of its parameters.
    Trains,
}

/// Where the frozen prefix ends and what crosses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Modules `0..prefix` form the frozen prefix: the largest leading block of frozen modules.
    pub prefix: usize,
    /// Indices of the prefix's outputs that later modules read, ascending; empty without a prefix,
    /// for then the image crosses.
    pub crossing: Vec<usize>,
}

/// How many tensors and elements are frozen and train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub frozen_tensors: usize,
    pub frozen_parameters: u64,
    pub trainable_tensors: usize,
    pub trainable_parameters: u64,
}

impl FreezePlan {
    /// The plan that freezes nothing.
    pub fn none(architecture: &Architecture) -> Self {
        let frozen = vec![false; architecture.parameters().len()];
        Self {
            spec: FreezeSpec::none(),
            stages: vec![Stage::new(architecture, 0, frozen)],
        }
    }

    /// The stage of an epoch.
    pub fn stage_at(&self, epoch: usize) -> &Stage {
        let later = (self.stages.iter().skip(1)).take_while(|stage| stage.from_epoch <= epoch);
        &self.stages[later.count()]
    }

    /// Whether a stage other than the first starts at this epoch.
    pub fn changes_at(&self, epoch: usize) -> bool {
        epoch > 0 && self.stages.iter().any(|stage| stage.from_epoch == epoch)
    }

    /// What is frozen when, for people: `0–9 frozen, 10–24 train`, or with several stages
    /// `epochs 0–4: 0–23 frozen, 24 trains; from epoch 5: nothing frozen, 0–24 train`.
    pub fn human(&self) -> String {
        if let [stage] = &self.stages[..] {
            return stage.human();
        }
        let next = self.stages.iter().skip(1).map(|s| Some(s.from_epoch));
        let parts: Vec<String> = (self.stages.iter().zip(next.chain([None])))
            .map(|(stage, next)| {
                let from = stage.from_epoch;
                let when = match next {
                    None => format!("from epoch {from}"),
                    Some(next) if next == from + 1 => format!("epoch {from}"),
                    Some(next) => format!("epochs {from}–{}", next - 1),
                };
                format!("{when}: {}", stage.human())
            })
            .collect();
        parts.join("; ")
    }

    /// What is frozen when, how much that is and where the cut lies: a few lines for a person.
    pub fn describe(&self, architecture: &Architecture) -> Vec<String> {
        let mut lines = vec![self.human()];
        for stage in &self.stages {
            let when = match stage.from_epoch {
                0 => String::new(),
                epoch => format!("from epoch {epoch}: "),
            };
            let counts = stage.counts;
            lines.push(format!(
                "{when}{} of {} tensors frozen, {} of {} parameters",
                counts.frozen_tensors,
                counts.frozen_tensors + counts.trainable_tensors,
                thousands(counts.frozen_parameters),
                thousands(counts.frozen_parameters + counts.trainable_parameters),
            ));
            if let Some(last) = stage.cut.prefix.checked_sub(1) {
                let crossing: Vec<String> = (stage.cut.crossing.iter())
                    .map(|&module| {
                        let kind = architecture.modules.get(module).map(|m| m.kind.name());
                        format!("{module} ({})", kind.unwrap_or_default())
                    })
                    .collect();
                lines.push(format!(
                    "{when}cut after module {last}: the outputs of {} cross it",
                    crossing.join(", ")
                ));
            }
        }
        lines
    }

    /// Checks that what is frozen from the start got its weights from a checkpoint. `incomplete`
    /// holds the indices of the modules that lack a weight or a statistic. Frozen random weights
    /// never get better, so skipping this check takes an explicit wish ([`OVERRIDE_FLAG`]).
    ///
    /// Later stages are not checked: by then the weights have been trained.
    ///
    /// # Errors
    /// A module with a frozen parameter is incomplete.
    pub fn check_transferred(
        &self,
        architecture: &Architecture,
        incomplete: &BTreeSet<usize>,
    ) -> Result<()> {
        let stage = self.stage_at(0);
        let frozen: BTreeSet<usize> = (architecture.parameters().iter().zip(&stage.frozen))
            .filter(|(_, frozen)| **frozen)
            .map(|(parameter, _)| parameter.module)
            .collect();
        let lost: Vec<usize> = frozen.intersection(incomplete).copied().collect();
        if lost.is_empty() {
            return Ok(());
        }
        Err(Error::input(
            format_args!("freeze plan {}", self.spec),
            format_args!(
                "{} of {} frozen modules without transferred weights ({})",
                lost.len(),
                frozen.len(),
                ranges(&lost)
            ),
            "transferred weights in everything that is frozen",
            format_args!(
                "Take weights of the same size, freeze less, or allow frozen random weights with {OVERRIDE_FLAG}"
            ),
        ))
    }
}

impl Stage {
    /// Works out what freezing these parameters (in the order of [`Architecture::parameters`])
    /// means. Missing entries train.
    pub fn new(architecture: &Architecture, from_epoch: usize, mut frozen: Vec<bool>) -> Self {
        let parameters = architecture.parameters();
        frozen.resize(parameters.len(), false);
        let mut counts = Counts::default();
        // Per module: tensors, and how many of them are frozen.
        let mut tensors = vec![(0, 0); architecture.modules.len()];
        let mut fixed_norms = BTreeSet::new();
        for (index, (parameter, &is_frozen)) in parameters.iter().zip(&frozen).enumerate() {
            let module = &mut tensors[parameter.module];
            module.0 += 1;
            if is_frozen {
                module.1 += 1;
                counts.frozen_tensors += 1;
                counts.frozen_parameters += parameter.elements();
            } else {
                counts.trainable_tensors += 1;
                counts.trainable_parameters += parameter.elements();
            }
            // A BatchNorm's bias directly follows its weight.
            if parameter.kind == ParameterKind::NormWeight
                && is_frozen
                && frozen.get(index + 1) == Some(&true)
                && let Some(norm) = parameter.name.strip_suffix(".weight")
            {
                fixed_norms.insert(norm.to_owned());
            }
        }
        let mut frozen_modules = Vec::with_capacity(tensors.len());
        for (module, &(all, frozen)) in architecture.modules.iter().zip(&tensors) {
            frozen_modules.push(if all > 0 {
                frozen == all
            } else {
                module.from.iter().all(|&from| frozen_modules[from])
            });
        }
        let cut = Cut::new(architecture, &frozen_modules);
        let mut states = vec![ModuleState::Trains; tensors.len()];
        let mut next = ModuleState::Trains;
        for (index, &(all, frozen)) in tensors.iter().enumerate().rev() {
            let own = match frozen {
                _ if all == 0 => next,
                0 => ModuleState::Trains,
                _ if frozen == all => ModuleState::Frozen,
                _ => ModuleState::Partly,
            };
            next = own;
            states[index] = if index < cut.prefix {
                ModuleState::Frozen
            } else {
                own
            };
        }
        Self {
            from_epoch,
            frozen,
            frozen_modules,
            states,
            fixed_norms,
            cut,
            counts,
        }
    }

    /// What is frozen, for people: `0–9 frozen, 10–24 train`.
    pub fn human(&self) -> String {
        let of = |state| {
            let modules: Vec<usize> = (self.states.iter().enumerate())
                .filter(|(_, s)| **s == state)
                .map(|(index, _)| index)
                .collect();
            (modules.len(), ranges(&modules))
        };
        let frozen = of(ModuleState::Frozen);
        let partly = of(ModuleState::Partly);
        let trains = of(ModuleState::Trains);
        let mut parts = Vec::new();
        if frozen.0 > 0 {
            parts.push(format!("{} frozen", frozen.1));
        } else if partly.0 == 0 {
            parts.push("nothing frozen".to_owned());
        }
        if partly.0 > 0 {
            parts.push(format!("{} partly frozen", partly.1));
        }
        match trains.0 {
            0 => {}
            1 => parts.push(format!("{} trains", trains.1)),
            _ => parts.push(format!("{} train", trains.1)),
        }
        parts.join(", ")
    }

    /// One line for each frozen parameter, as the reference logs it:
    /// `freezing model.0.conv.weight`.
    pub fn log_lines(&self, architecture: &Architecture) -> Vec<String> {
        (architecture.parameters().iter().zip(&self.frozen))
            .filter(|(_, frozen)| **frozen)
            .map(|(parameter, _)| format!("freezing {}", parameter.name))
            .collect()
    }
}

impl Cut {
    fn new(architecture: &Architecture, frozen_modules: &[bool]) -> Self {
        let prefix = frozen_modules.iter().take_while(|frozen| **frozen).count();
        let crossing: BTreeSet<usize> = (architecture.modules.iter().skip(prefix))
            .flat_map(|module| module.from.iter().copied())
            .filter(|&from| from < prefix)
            .collect();
        Self {
            prefix,
            crossing: crossing.into_iter().collect(),
        }
    }
}

/// Ascending numbers as `0, 2–5 and 7`.
fn ranges(numbers: &[usize]) -> String {
    let mut parts: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .filter_map(|run| match run {
            [] => None,
            [one] => Some(one.to_string()),
            [first, .., last] => Some(format!("{first}–{last}")),
        })
        .collect();
    match parts.pop() {
        None => String::new(),
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
    }
}

/// A count with a comma between thousands.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
