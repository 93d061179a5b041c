//! The model's own operations against Burn's on the CPU: `core/benches/kernels.rs`, run by divan.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// A row of divan's table: group, program, case, median in milliseconds.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    group: String,
    program: String,
    case: String,
    median_ms: f64,
}

/// Runs the micro-benchmarks; returns the table of ratios.
///
/// # Errors
/// When they do not build or run, or print no figures.
pub fn measure() -> Result<String> {
    let mut command = cargo();
    command.args([
        "bench",
        "--locked",
        "--profile",
        "release",
        "--package",
        "frostline",
        "--package",
        "frostline-cli",
        "--bench",
        "kernels",
    ]);
    println!("xtask: kernels");
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{command:?} failed ({}): {text}", output.status);
    }
    let rows = parse(&text);
    if rows.is_empty() {
        bail!("{command:?} printed no figures: {text}");
    }
    Ok(table(&rows))
}

/// Reads divan's tree, which has no other form.
fn parse(text: &str) -> Vec<Row> {
    let mut path: Vec<String> = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        let entry = line.trim_start_matches(['│', '├', '╰', '─', ' ']);
        // Each level is drawn with three characters.
        let depth = line[..line.len() - entry.len()].chars().count() / 3;
        if depth == 0 {
            continue;
        }
        let columns: Vec<&str> = entry.split('│').collect();
        let name = columns[0].split("  ").next().unwrap_or_default().trim();
        path.truncate(depth - 1);
        path.push(name.to_owned());
        let median = columns.get(2).and_then(|column| milliseconds(column));
        if let ([group, program, case], Some(median_ms)) = (&path[..], median) {
            rows.push(Row {
                group: group.clone(),
                program: program.clone(),
                case: case.clone(),
                median_ms,
            });
        }
    }
    rows
}

fn milliseconds(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let scale = match unit {
        "ns" => 1e-6,
        "µs" | "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

fn table(rows: &[Row]) -> String {
    let mut by_case: BTreeMap<(&str, &str), BTreeMap<&str, f64>> = BTreeMap::new();
    for row in rows {
        by_case
            .entry((&row.group, &row.case))
            .or_default()
            .insert(&row.program, row.median_ms);
    }
    let mut text = String::from(
        "| operation | case | Frostline ms | Burn ms | ratio |\n|---|---|---:|---:|---:|\n",
    );
    for ((group, case), medians) in by_case {
        if let (Some(ours), Some(burns)) = (medians.get("ours"), medians.get("burns")) {
            text += &format!(
                "| {} | {case} | {ours:.2} | {burns:.2} | {:.2} |\n",
                group.replace('_', " "),
                ours / burns
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
Timer precision: 20 ns
kernels                   fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ convolution_forward                  │               │               │               │         │
│  ├─ burns                             │               │               │               │         │
│  │  ╰─ 3x3 16 to 16     3 ms          │ 5 ms          │ 4 ms          │ 4.1 ms        │ 100     │ 100
│  ╰─ ours                              │               │               │               │         │
│     ╰─ 3x3 16 to 16     900 µs        │ 2 ms          │ 1000 µs       │ 1.1 ms        │ 100     │ 100
╰─ other                                │               │               │               │         │
";

    #[test]
    fn divans_tree_becomes_a_table_of_ratios() {
        let rows = parse(TREE);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].median_ms, 1.0);
        let table = table(&rows);
        let last = table.lines().last();
        assert_eq!(
            last,
            Some("| convolution forward | 3x3 16 to 16 | 1.00 | 4.00 | 0.25 |")
        );
    }
}
