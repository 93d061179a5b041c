//! `report.html`: one file, which loads nothing.

use super::chart::Chart;
use super::figures::{Comparison, Plan, Spread};
use super::svg::{element, escape};
use super::words::findings;
use crate::args::CompareSettings;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#212529;--soft:#495057;--line:#ced4da;--grid:#e9ecef;--paper:#fff;--best:#e7f5ff}
@media(prefers-color-scheme:dark){:root{--ink:#e9ecef;--soft:#adb5bd;--line:#495057;--grid:#343a40;--paper:#16191d;--best:#1b3a57}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.6rem;margin-bottom:.2rem}p.made{color:var(--soft);margin-top:0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.4rem .6rem;border-bottom:1px solid var(--line);text-align:right}
th:first-child,td:first-child{text-align:left}td.best{background:var(--best);font-weight:600}
small{color:var(--soft)}figure{margin:0}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(30rem,100%),1fr));gap:1rem;margin:1.5rem 0}
svg{width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:var(--ink)}.grid{stroke:var(--grid)}.axis{stroke:var(--soft)}
code{background:var(--grid);padding:.1rem .3rem;border-radius:.2rem;overflow-wrap:anywhere}.wide{overflow-x:auto}
@media print{body{margin:0;max-width:none}.charts{grid-template-columns:1fr 1fr}figure,svg,table{break-inside:avoid}}";

/// The whole page.
pub fn page(settings: &CompareSettings, comparison: &Comparison, charts: &[Chart]) -> String {
    let plans: Vec<&str> = (comparison.plans.iter())
        .map(|plan| plan.freeze.as_str())
        .collect();
    let title = format!("Freeze {} compared", plans.join(", "));
    let findings: String = (findings(comparison).iter())
        .map(|sentence| format!("<li>{}</li>", escape(sentence)))
        .collect();
    let charts: String = (charts.iter())
        .map(|chart| format!("<figure>{}</figure>", element(chart, "")))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>\
         <p class=\"made\">{} runs with Frostline {}</p><ul>{findings}</ul>{}\
         <div class=\"charts\">{charts}</div><p><small>Lines are means over the seeds, bands reach from the least to the \
         largest. {}</small></p><h2>Command</h2><p><code>{}</code></p></main></body></html>\n",
        comparison
            .plans
            .iter()
            .map(|plan| plan.outcomes.len())
            .sum::<usize>(),
        env!("CARGO_PKG_VERSION"),
        table(comparison),
        meaning(comparison),
        escape(&command(settings)),
        title = escape(&title),
    )
}

/// What memory and use are here.
fn meaning(comparison: &Comparison) -> &'static str {
    if comparison.on_device {
        "Memory is what is reserved on the device; use is the share of time in which the device had work."
    } else {
        "Memory is the process's at the end of an epoch's steps; use is the busy share of all processor cores."
    }
}

fn command(settings: &CompareSettings) -> String {
    let quoted = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let mut words = vec!["frostline compare --freeze".to_owned()];
    words.extend(settings.plans.iter().map(|plan| quoted(plan)));
    words.extend(
        settings
            .flags
            .iter()
            .map(|flag| quoted(&flag.to_string_lossy())),
    );
    words.extend(settings.reach.map(|map50| format!("--reach {map50}")));
    if let Some(first) = settings.seeds.first().filter(|seed| **seed != 0) {
        words.push(format!("--seed {first}"));
    }
    words.push(format!("--seeds {}", settings.seeds.len()));
    words.join(" ")
}

/// A column: what it is called, its value, whether more is better, its digits and factor.
struct Column {
    name: &'static str,
    value: fn(&Plan) -> Option<Spread>,
    more_is_better: bool,
    digits: usize,
    factor: f64,
}

const fn column(
    name: &'static str,
    value: fn(&Plan) -> Option<Spread>,
    more_is_better: bool,
    digits: usize,
    factor: f64,
) -> Column {
    Column {
        name,
        value,
        more_is_better,
        digits,
        factor,
    }
}

/// Only where something is to be reached; its head says what.
const TO_REACH: Column = column("", |plan| plan.seconds_to_reach, false, 1, 1.0);

const COLUMNS: [Column; 5] = [
    column("mAP@0.5", |plan| Some(plan.map50), true, 3, 1.0),
    column("mAP@0.5:0.95", |plan| Some(plan.map), true, 3, 1.0),
    column("training (s)", |plan| Some(plan.seconds), false, 1, 1.0),
    column("epoch (s)", |plan| Some(plan.epoch_seconds), false, 2, 1.0),
    column("memory (MiB)", |plan| plan.memory_mib, false, 0, 1.0),
];

/// Means with their spread, the best of each column marked.
fn table(comparison: &Comparison) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .chain(comparison.reach.map(|_| &TO_REACH))
        .collect();
    let mut html =
        String::from("<div class=\"wide\"><table><thead><tr><th>freeze</th><th>seeds</th>");
    for column in &COLUMNS {
        html += &format!("<th>{}</th>", column.name);
    }
    if let Some(map50) = comparison.reach {
        html += &format!("<th>to mAP@0.5 {map50} (s)</th>");
    }
    html += "<th>use (%)</th></tr></thead><tbody>";
    let best: Vec<Option<f64>> = columns
        .iter()
        .map(|column| {
            let means = comparison
                .plans
                .iter()
                .filter_map(column.value)
                .map(|s| s.mean);
            means.reduce(if column.more_is_better {
                f64::max
            } else {
                f64::min
            })
        })
        .collect();
    for plan in &comparison.plans {
        html += &format!(
            "<tr><td>{}</td><td>{}</td>",
            escape(&plan.freeze),
            plan.outcomes.len()
        );
        for (column, best) in columns.iter().zip(&best) {
            let spread = (column.value)(plan);
            let marked = spread.is_some() && spread.map(|s| s.mean) == *best;
            html += &cell(spread, column.digits, column.factor, marked);
        }
        html += &cell(plan.use_share, 0, 100.0, false);
        html += "</tr>";
    }
    html + "</tbody></table></div>"
}

fn cell(spread: Option<Spread>, digits: usize, factor: f64, marked: bool) -> String {
    let Some(Spread { mean, low, high }) = spread else {
        return "<td>–</td>".to_owned();
    };
    let [mean, low, high] = [mean, low, high].map(|value| value * factor);
    let class = if marked { " class=\"best\"" } else { "" };
    let range = if low < high {
        format!(" <small>{low:.digits$}–{high:.digits$}</small>")
    } else {
        String::new()
    };
    format!("<td{class}>{mean:.digits$}{range}</td>")
}

#[cfg(test)]
mod tests {
    use super::super::chart::tests::comparison;
    use super::*;

    #[test]
    fn the_page_holds_table_charts_and_command_and_loads_nothing() {
        let comparison = comparison();
        let settings = CompareSettings {
            plans: vec!["0".to_owned(), "24; 10@5".to_owned()],
            seeds: vec![0, 1],
            folder: "runs/compare/exp".into(),
            reach: None,
            flags: vec!["--epochs".into(), "3".into()],
        };
        let page = page(&settings, &comparison, &Chart::all(&comparison));
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(
            page.contains("<td class=\"best\">0.550 <small>0.500–0.600</small></td>"),
            "{page}"
        );
        assert!(page.contains("frostline compare --freeze 0 '24; 10@5' --epochs 3 --seeds 2"));
        let loads = ["src=", "href=", "url(", "@import", "<script"];
        assert!(loads.iter().all(|word| !page.contains(word)));
    }
}
