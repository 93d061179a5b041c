//! Learning rates that differ between parts of the network: `backbone=0.1,neck=0.5`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};
use crate::freeze::{FreezePlan, Group};
use crate::model::Architecture;

/// The flag that carries them, for errors.
const FLAG: &str = "--lr-factor";

/// What the learning rate is multiplied by, group by group. Groups act from left to right: where two name the same
/// parameter, the later one counts. What no group names keeps the rate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RateFactors(Vec<(Group, f64)>);

impl RateFactors {
    /// Whether every parameter keeps the rate.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The factor of every named parameter of `architecture`, by name.
    ///
    /// # Errors
    /// A group without parameters, or whose parameters are frozen in every stage of `plan`.
    pub fn resolve(
        &self,
        architecture: &Architecture,
        plan: &FreezePlan,
    ) -> Result<BTreeMap<String, f64>> {
        let parameters = architecture.parameters();
        let mut factors = BTreeMap::new();
        for (group, factor) in &self.0 {
            let named = group.parameters(architecture).map_err(in_flag)?;
            let trains = named.iter().enumerate().any(|(index, &named)| {
                named && plan.stages.iter().any(|stage| !stage.frozen[index])
            });
            if !trains {
                return Err(Error::input(
                    FLAG,
                    format_args!("{group}, which --freeze {} never trains", plan.spec),
                    "a group that trains in some stage",
                    "Leave it out, or freeze less",
                ));
            }
            for (parameter, _) in parameters.iter().zip(named).filter(|(_, named)| *named) {
                factors.insert(parameter.name.clone(), *factor);
            }
        }
        Ok(factors)
    }
}

/// The error of a term, which speaks of the flag that it stands in.
fn in_flag(error: Error) -> Error {
    match error {
        Error::Input(mut problem) => {
            problem.place = problem.place.replacen("freeze plan", FLAG, 1);
            Error::Input(problem)
        }
        other => other,
    }
}

impl FromStr for RateFactors {
    type Err = Error;

    /// # Errors
    /// A piece that is not `GROUP=FACTOR`, or a factor that is no number above 0.
    fn from_str(text: &str) -> Result<Self> {
        let pieces = text.split(|c: char| c == ',' || c.is_whitespace());
        let factors = pieces.filter(|piece| !piece.is_empty()).map(|piece| {
            // The last one: a single module may be written as =9.
            let Some((group, factor)) = piece.rsplit_once('=') else {
                return Err(Error::input(
                    FLAG,
                    format_args!("{piece:?}"),
                    "GROUP=FACTOR",
                    "Such as backbone=0.1, 0-4=0.01 or model.24.m.*=2",
                ));
            };
            let factor = match factor.parse::<f64>() {
                Ok(factor) if factor.is_finite() && factor > 0.0 => factor,
                _ => {
                    return Err(Error::input(
                        FLAG,
                        format_args!("{factor:?} for {group}"),
                        "a number above 0",
                        "What should not learn at all is frozen with --freeze",
                    ));
                }
            };
            Ok((group.parse().map_err(in_flag)?, factor))
        });
        let factors = factors.collect::<Result<Vec<_>>>()?;
        if factors.is_empty() {
            return Err(Error::input(
                FLAG,
                "nothing",
                "GROUP=FACTOR",
                "Such as backbone=0.1",
            ));
        }
        Ok(Self(factors))
    }
}

impl fmt::Display for RateFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (group, factor)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{group}={factor}")?;
        }
        Ok(())
    }
}

impl Serialize for RateFactors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RateFactors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &String::deserialize(deserializer)?[..] {
            "" => Ok(Self::default()),
            text => text.parse().map_err(de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Size;

    fn resolve(text: &str, freeze: &str) -> Result<BTreeMap<String, f64>> {
        let architecture = Architecture::yolov5(Size::N, 3);
        let plan = FreezePlan::resolve(&freeze.parse()?, &architecture)?;
        text.parse::<RateFactors>()?.resolve(&architecture, &plan)
    }

    fn error(text: &str, freeze: &str) -> String {
        resolve(text, freeze).unwrap_err().to_string()
    }

    #[test]
    fn groups_are_those_of_the_freeze_language_and_the_later_one_counts() {
        let factors = resolve(
            "backbone=0.1, neck=0.5 9=0.2,=8=0.3,0-1=0.01,model.24.m.0.*=2",
            "0",
        )
        .unwrap();
        for (name, factor) in [
            ("model.0.conv.weight", Some(&0.01)),
            ("model.4.cv1.bn.bias", Some(&0.1)),
            ("model.8.cv1.conv.weight", Some(&0.3)),
            ("model.9.cv1.conv.weight", Some(&0.2)),
            ("model.23.cv1.conv.weight", Some(&0.5)),
            ("model.24.m.0.bias", Some(&2.0)),
            ("model.24.m.1.bias", None),
        ] {
            assert_eq!(factors.get(name), factor, "{name}");
        }
    }

    #[test]
    fn a_group_that_trains_in_a_later_stage_is_allowed() {
        let factors = resolve("backbone=0.1", "10; 0@5").unwrap();
        assert_eq!(factors.len(), 99);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = "backbone=0.1,0-4=0.01,model.24.m.*=2";
        let factors: RateFactors = text.parse().unwrap();
        assert_eq!(factors.to_string(), text);
        let json = serde_json::to_string(&factors).unwrap();
        assert_eq!(serde_json::from_str::<RateFactors>(&json).unwrap(), factors);
    }

    #[test]
    fn errors_name_the_flag_and_what_to_do() {
        for (text, freeze, words) in [
            ("backbone", "0", "found \"backbone\", expected GROUP=FACTOR"),
            ("backbone=0", "0", "frozen with --freeze"),
            ("backbone=-1", "0", "expected a number above 0"),
            ("backbone=fast", "0", "\"fast\" for backbone"),
            ("", "0", "found nothing"),
            ("none=2", "0", "--lr-factor \"none\""),
            ("backbon=0.1", "0", "Did you mean backbone?"),
            (
                "99=0.1",
                "0",
                "--lr-factor \"99\", column 1: found module 99",
            ),
            ("11=0.1", "0", "without parameters"),
            ("model.99.*=0.1", "0", "matches no parameter"),
            ("backbone=0.1", "10", "which --freeze 10 never trains"),
            ("!9=0.1", "0", "--lr-factor \"!9\""),
        ] {
            let error = error(text, freeze);
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
