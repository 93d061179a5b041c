//! What a stage freezes, as a sentence.

use frostline::freeze::{ModuleState, Stage};

use super::{Language, fill};

/// Ascending numbers as `0, 2–5 and 7`; in Korean as `0, 2–5, 7`.
pub fn ranges(numbers: &[usize], language: Language) -> String {
    let mut parts: Vec<String> = numbers
        .chunk_by(|a, b| a + 1 == *b)
        .filter_map(|run| match run {
            [] => None,
            [one] => Some(one.to_string()),
            [first, .., last] => Some(format!("{first}–{last}")),
        })
        .collect();
    if language == Language::Korean {
        return parts.join(", ");
    }
    match parts.pop() {
        None => String::new(),
        Some(last) if parts.is_empty() => last,
        Some(last) => format!("{} and {last}", parts.join(", ")),
    }
}

/// What a stage freezes: `Modules 0–9 are frozen, 10–24 learn.`
pub fn summary(stage: &Stage, language: Language) -> String {
    let words = language.words();
    let of = |state: ModuleState| -> Vec<usize> {
        let states = stage.states.iter().enumerate();
        states
            .filter(|(_, s)| **s == state)
            .map(|(module, _)| module)
            .collect()
    };
    let frozen = of(ModuleState::Frozen);
    let trains = of(ModuleState::Trains);
    let partly = of(ModuleState::Partly);
    let template = match (frozen.len(), trains.len()) {
        (0, _) => words.nothing_frozen,
        (_, 1) => words.frozen_one_trains,
        (1, _) => words.one_frozen_train,
        _ => words.all_frozen_train,
    };
    let mut sentences = Vec::new();
    // Nothing wholly frozen and nothing wholly training: all is in the second sentence.
    if !trains.is_empty() || partly.is_empty() {
        let (frozen, trains) = (ranges(&frozen, language), ranges(&trains, language));
        sentences.push(fill(template, &[("frozen", &frozen), ("trains", &trains)]));
    }
    if !partly.is_empty() {
        let partly = ranges(&partly, language);
        sentences.push(fill(words.and_partly, &[("partly", &partly)]));
    }
    sentences.join(" ")
}

/// When a stage acts: `epochs 0–4`, `epoch 5`, `from epoch 20`.
pub fn stage_label(from: usize, until: Option<usize>, language: Language) -> String {
    let words = language.words();
    let (template, last) = match until {
        None => (words.stage_last, from),
        Some(until) if until == from + 1 => (words.stage_one, from),
        Some(until) => (words.stage_first, until - 1),
    };
    let (from, last) = (from.to_string(), last.to_string());
    fill(template, &[("from", &from), ("last", &last)])
}

#[cfg(test)]
mod tests {
    use frostline::freeze::FreezePlan;
    use frostline::model::{Architecture, Size};

    use super::*;

    fn of(text: &str, language: Language) -> String {
        let architecture = Architecture::yolov5(Size::N, 80);
        let plan = FreezePlan::resolve(&text.parse().unwrap(), &architecture).unwrap();
        summary(&plan.stages[0], language)
    }

    #[test]
    fn the_sentence_says_what_is_frozen() {
        let english = |text| of(text, Language::English);
        assert_eq!(english("10"), "Modules 0–9 are frozen, 10–24 learn.");
        assert_eq!(english("24"), "Modules 0–23 are frozen, 24 learns.");
        assert_eq!(english("0"), "Nothing is frozen, 0–24 learn.");
        assert_eq!(english("1"), "Module 0 is frozen, 1–24 learn.");
        assert_eq!(
            english("0-4,7"),
            "Modules 0–4 and 7 are frozen, 5–6 and 8–24 learn."
        );
        assert_eq!(
            english("model.2.cv1.*"),
            "Nothing is frozen, 0–1 and 3–24 learn. Of 2, some parameters are frozen."
        );
        assert_eq!(
            of("10", Language::Korean),
            "0–9번 모듈은 동결하고 10–24번 모듈은 학습합니다."
        );
        assert_eq!(
            of("24", Language::Korean),
            "0–23번 모듈은 동결하고 24번 모듈만 학습합니다."
        );
    }

    #[test]
    fn stages_say_when_they_act() {
        let label = |from, until| stage_label(from, until, Language::English);
        assert_eq!(label(0, Some(5)), "epochs 0–4");
        assert_eq!(label(5, Some(6)), "epoch 5");
        assert_eq!(label(20, None), "from epoch 20");
        assert_eq!(stage_label(0, Some(5), Language::Korean), "0–4 에폭");
    }
}
