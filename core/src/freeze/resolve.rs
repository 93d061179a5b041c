//! From what a person wrote to a plan for one architecture.

use std::ops::Range;

use super::parse::place;
use super::plan::{FreezePlan, Stage};
use super::spec::{FreezeSpec, Part, StageSpec, Term, What};
use crate::error::{Error, Result};
use crate::model::Architecture;
use crate::model::architecture::Parameter;

impl FreezePlan {
    /// What a spec means for an architecture.
    ///
    /// # Errors
    /// A module beyond the last, a term that names no parameter, a stage that leaves nothing to
    /// train; each with the text, the column and a hint.
    pub fn resolve(spec: &FreezeSpec, architecture: &Architecture) -> Result<Self> {
        let resolver = Resolver {
            text: &spec.text.0,
            architecture,
            parameters: architecture.parameters(),
        };
        let stages = (spec.stages.iter())
            .map(|stage| resolver.stage(stage))
            .collect::<Result<_>>()?;
        Ok(Self {
            spec: spec.clone(),
            stages,
        })
    }
}

/// Per parameter, whether `term` names it; `text` is what it was read from.
pub(super) fn named(text: &str, term: &Term, architecture: &Architecture) -> Result<Vec<bool>> {
    let resolver = Resolver {
        text,
        architecture,
        parameters: architecture.parameters(),
    };
    resolver.named(term, false)
}

struct Resolver<'a> {
    text: &'a str,
    architecture: &'a Architecture,
    parameters: Vec<Parameter>,
}

impl Resolver<'_> {
    fn problem(
        &self,
        column: usize,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        next: impl std::fmt::Display,
    ) -> Error {
        Error::input(place(self.text, column), found, expected, next)
    }

    fn stage(&self, spec: &StageSpec) -> Result<Stage> {
        let mut frozen = vec![false; self.parameters.len()];
        let alone = spec.terms.len() == 1;
        for term in &spec.terms {
            let named = self.named(term, alone)?;
            for (frozen, named) in frozen.iter_mut().zip(named) {
                if named {
                    *frozen = !term.away;
                }
            }
        }
        if frozen.iter().all(|frozen| *frozen) {
            let when = match spec.from_epoch {
                0 => String::new(),
                epoch => format!(" from epoch {epoch} on"),
            };
            return Err(self.problem(
                spec.column.0,
                format_args!("all {} tensors frozen{when}", frozen.len()),
                "something left to train",
                format_args!(
                    "The widest plan that makes sense is {}: all modules but Detect",
                    self.architecture.modules.len().saturating_sub(1)
                ),
            ));
        }
        Ok(Stage::new(self.architecture, spec.from_epoch, frozen))
    }

    /// Per parameter, whether a term names it. `alone`: it is the only term of its set.
    fn named(&self, term: &Term, alone: bool) -> Result<Vec<bool>> {
        let column = term.column.0;
        let count = self.architecture.modules.len();
        let last_module = count.saturating_sub(1);
        let modules: Range<usize> = match &term.what {
            What::Glob(pattern) => return self.matching(column, pattern),
            What::Modules { first, last } => {
                let last = last.unwrap_or(last_module.max(*first));
                if last > last_module {
                    return Err(if alone && *first == 0 && !term.away {
                        self.problem(
                            column,
                            format_args!("{} modules", last + 1),
                            format_args!(
                                "at most {last_module}: the network has {count} and one must train"
                            ),
                            format_args!("{last_module} freezes all but Detect"),
                        )
                    } else {
                        self.problem(
                            column,
                            format_args!("module {last}"),
                            format_args!("modules 0 to {last_module}"),
                            format_args!("The last module, {last_module}, is Detect"),
                        )
                    });
                }
                *first..last + 1
            }
            What::Part(part) => self.part(*part),
        };
        let named: Vec<bool> = (self.parameters.iter())
            .map(|parameter| modules.contains(&parameter.module))
            .collect();
        if named.contains(&true) {
            return Ok(named);
        }
        Err(match &term.what {
            What::Part(part) => self.problem(
                column,
                format_args!("{}, which is empty in this network", part.name()),
                "a part with parameters",
                format_args!(
                    "The backbone is 0 to {}, Detect is {last_module}",
                    self.architecture.backbone.saturating_sub(1)
                ),
            ),
            _ => {
                let kinds: Vec<String> = (self.architecture.modules[modules].iter())
                    .map(|module| format!("module {} ({})", module.index, module.kind.name()))
                    .collect();
                self.problem(
                    column,
                    format_args!("{}, without parameters", kinds.join(" and ")),
                    "modules with parameters to freeze",
                    "Leave it out: it is frozen when what it reads is",
                )
            }
        })
    }

    fn part(&self, part: Part) -> Range<usize> {
        let count = self.architecture.modules.len();
        let detect = count.saturating_sub(1);
        let backbone = self.architecture.backbone.min(count);
        match part {
            Part::All => 0..count,
            Part::Backbone => 0..backbone,
            Part::Neck => backbone..detect,
            Part::Head => backbone..count,
            Part::Detect => detect..count,
            Part::AllButDetect => 0..detect,
        }
    }

    fn matching(&self, column: usize, pattern: &str) -> Result<Vec<bool>> {
        let named: Vec<bool> = (self.parameters.iter())
            .map(|parameter| matches(pattern, &parameter.name))
            .collect();
        if named.contains(&true) {
            return Ok(named);
        }
        // The likeliest slip: a pattern that stops short of the whole name.
        let longer = format!("{}*", pattern.trim_end_matches('.'));
        let open = self.parameters.iter().any(|p| matches(&longer, &p.name));
        let hint = if open {
            format!("Patterns match whole names: {longer} would match")
        } else {
            format!(
                "Names look like {} and {}",
                self.parameters.first().map_or("", |p| &p.name),
                self.parameters.last().map_or("", |p| &p.name)
            )
        };
        Err(self.problem(
            column,
            format_args!("{pattern:?}, which matches no parameter"),
            "a pattern that matches at least one",
            hint,
        ))
    }
}

/// Whether a pattern matches a whole parameter name; `*` stands for any text. Steps back to the latest star
/// only, which is enough and never takes more than |pattern|·|name| steps.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // The latest star, and where in the name what follows it was tried.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == Some(&name[n]) {
            p += 1;
            n += 1;
        } else if let Some((at, tried)) = star {
            star = Some((at, tried + 1));
            p = at + 1;
            n = tried + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Size;

    fn resolve(text: &str) -> Result<FreezePlan> {
        FreezePlan::resolve(&text.parse()?, &Architecture::yolov5(Size::N, 80))
    }

    fn error(text: &str) -> String {
        resolve(text).unwrap_err().to_string()
    }

    #[test]
    fn stars_match_any_text_and_patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("model.2.cv1.*", "model.2.cv1.conv.weight", true),
            ("model.2.cv1", "model.2.cv1.conv.weight", false),
            ("*.bn.*", "model.2.cv1.bn.weight", true),
            ("*.bn.*", "model.2.cv1.conv.weight", false),
            ("*", "", true),
            ("*a*b", "aab", true),
            ("*a*b", "aabc", false),
            ("a*a", "a", false),
            ("*weight", "x.weight.weight", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn modules_beyond_the_last_are_errors_that_say_so() {
        let text = error("3,25");
        assert_eq!(
            text,
            "freeze plan \"3,25\", column 3: found module 25, expected modules 0 to 24. The last module, 24, is Detect"
        );
        assert!(error("26").contains("found 26 modules, expected at most 24"));
        assert!(error("=25").contains("found module 25"));
        assert!(error("20-30").contains("found module 30"));
        assert!(error("30-").contains("found module 30"));
        assert!(error("!99").contains("found module 99"));
        assert!(error("999999999").contains("found 999999999 modules"));
    }

    #[test]
    fn freezing_everything_is_an_error_at_any_stage() {
        for text in ["25", "all", "0-", "0-24", "backbone head", "*", "model.*"] {
            let error = error(text);
            assert!(
                error.contains("all 177 tensors frozen, expected something left to train"),
                "{error}"
            );
        }
        let error = error("10; all@7");
        assert!(
            error.contains("column 5: found all 177 tensors frozen from epoch 7 on"),
            "{error}"
        );
    }

    #[test]
    fn what_names_no_parameter_is_an_error_with_a_hint() {
        assert!(error("=11").contains("found module 11 (Upsample), without parameters"));
        assert!(error("10,model.2.cv1").contains("column 4"));
        assert!(error("model.2.cv1").contains("model.2.cv1* would match"));
        assert!(error("model.2.").contains("model.2* would match"));
        assert!(
            error("modell.*").contains("Names look like model.0.conv.weight and model.24.m.2.bias")
        );
        // Statistics are no parameters.
        assert!(error("*.running_mean").contains("matches no parameter"));
    }

    #[test]
    fn parts_that_an_architecture_lacks_are_errors() {
        let text = "{nc: 1, depth_multiple: 1, width_multiple: 1, anchors: [[10, 10]],
            backbone: [[-1, 1, Conv, [8, 3, 2]]], head: [[-1, 1, Detect, [nc, anchors]]]}";
        let tiny = Architecture::from_yaml(text, "tiny.yaml", None).unwrap();
        let resolve = |text: &str| FreezePlan::resolve(&text.parse().unwrap(), &tiny);
        let error = resolve("neck").unwrap_err().to_string();
        assert!(error.contains("neck, which is empty"), "{error}");
        assert_eq!(resolve("backbone").unwrap().human(), "0 frozen, 1 trains");
        assert_eq!(
            resolve("all-but-detect").unwrap().stages,
            resolve("1").unwrap().stages
        );
        assert_eq!(resolve("head").unwrap().human(), "1 frozen, 0 trains");
    }
}
