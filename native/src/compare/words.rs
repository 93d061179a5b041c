//! What a comparison's figures say, in words.

use super::figures::{Comparison, Plan};

/// Sentences that follow from the figures: the best plan, then what each other one gains and loses beside it.
pub fn findings(comparison: &Comparison) -> Vec<String> {
    let plans = &comparison.plans;
    let Some(best) = plans
        .iter()
        .max_by(|a, b| a.map.mean.total_cmp(&b.map.mean))
    else {
        return vec![];
    };
    let mut sentences = vec![format!(
        "Freeze {} is the most accurate: mAP50-95 {:.3}{}, mAP50 {:.3}.",
        best.freeze,
        best.map.mean,
        of_seeds(best),
        best.map50.mean,
    )];
    for plan in plans.iter().filter(|plan| plan.freeze != best.freeze) {
        let lost = best.map.mean - plan.map.mean;
        let accuracy = if plan.map.high >= best.map.low && best.outcomes.len() > 1 {
            format!("lies {lost:.3} below in mAP50-95, which is within the spread of the seeds")
        } else {
            format!("loses {lost:.3} of mAP50-95")
        };
        let mut costs = vec![times(plan.seconds.mean, best.seconds.mean, "training time")];
        if let (Some(own), Some(others)) = (plan.memory_mib, best.memory_mib) {
            costs.push(times(own.mean, others.mean, "memory"));
        }
        sentences.push(format!(
            "Freeze {} {accuracy}, and takes {}.",
            plan.freeze,
            costs.join(" and ")
        ));
    }
    if let Some(map50) = comparison.reach {
        sentences.push(reached(plans, map50));
    }
    if best.outcomes.len() < 3 {
        sentences.push(
            "With fewer than three seeds a difference of a few hundredths may be chance: --seeds 3 tells."
                .to_owned(),
        );
    }
    sentences
}

/// `mAP50 0.6 is reached by freeze 10 after 12 s and by freeze 0 after 20 s of training; freeze 24 does not reach it.`
fn reached(plans: &[Plan], map50: f64) -> String {
    let seconds = |plan: &Plan| plan.seconds_to_reach.map(|spread| spread.mean);
    let mut some: Vec<(&str, f64)> = (plans.iter())
        .filter_map(|plan| Some((plan.freeze.as_str(), seconds(plan)?)))
        .collect();
    some.sort_by(|a, b| a.1.total_cmp(&b.1));
    let some: Vec<String> = (some.iter())
        .map(|(freeze, seconds)| format!("by freeze {freeze} after {seconds:.1} s"))
        .collect();
    let never = plans.iter().filter(|plan| seconds(plan).is_none());
    let never: Vec<String> = never
        .map(|plan| format!("freeze {}", plan.freeze))
        .collect();
    let mut parts = Vec::new();
    if !some.is_empty() {
        let some = some.join(" and ");
        parts.push(format!("mAP50 {map50} is reached {some} of training"));
    }
    if !never.is_empty() {
        let never = never.join(" and ");
        parts.push(format!(
            "{never} did not reach mAP50 {map50} with every seed"
        ));
    }
    format!("{}.", parts.join("; "))
}

fn of_seeds(plan: &Plan) -> String {
    match plan.outcomes.len() {
        0 | 1 => String::new(),
        seeds => format!(
            " ({:.3} to {:.3} over {seeds} seeds)",
            plan.map.low, plan.map.high
        ),
    }
}

/// `0.42 of the training time`, `1.3 times the memory`.
fn times(own: f64, other: f64, what: &str) -> String {
    let ratio = own / other.max(f64::MIN_POSITIVE);
    if (0.97..1.03).contains(&ratio) {
        format!("as much {what}")
    } else if ratio < 1.0 {
        format!("{ratio:.2} of the {what}")
    } else {
        format!("{ratio:.2} times the {what}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::outcome;
    use super::*;

    #[test]
    fn words_follow_from_the_figures() {
        let outcomes = [
            outcome(0, "0", 0, &[0.5], 4.0),
            outcome(0, "0", 1, &[0.6], 4.0),
            outcome(1, "10", 0, &[0.52], 2.0),
            outcome(2, "24", 0, &[0.2], 0.4),
        ];
        let plans = ["0", "10", "24"].map(str::to_owned);
        let said = findings(&Comparison::of(&plans, Some(0.77), &outcomes));
        assert_eq!(
            said[0],
            "Freeze 0 is the most accurate: mAP50-95 0.550 (0.500 to 0.600 over 2 seeds), mAP50 0.825."
        );
        assert_eq!(
            said[1],
            "Freeze 10 lies 0.030 below in mAP50-95, which is within the spread of the seeds, and takes \
             0.50 of the training time and 1.10 times the memory."
        );
        assert_eq!(
            said[2],
            "Freeze 24 loses 0.350 of mAP50-95, and takes 0.10 of the training time and 1.20 times the memory."
        );
        assert_eq!(
            said[3],
            "mAP50 0.77 is reached by freeze 10 after 2.0 s of training; freeze 0 and freeze 24 did not reach mAP50 0.77 with \
             every seed."
        );
        assert!(said[4].contains("--seeds 3"));
        assert!(findings(&Comparison::of(&plans, None, &[])).is_empty());
    }
}
