//! `evolve.csv`: a row per generation, with what it came to and its hyperparameters.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use frostline::train::Hyp;
use frostline::{Error, Result};

use super::genes::Individual;

const METRICS: &str = "generation,fitness,precision,recall,mAP_0.5,mAP_0.5:0.95";

/// A generation.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    pub hyp: Hyp,
    /// Precision, recall, mAP50, mAP50-95 of its best epoch.
    pub metrics: [f64; 4],
}

impl Generation {
    pub fn fitness(&self) -> f64 {
        super::fitness(&self.metrics)
    }
}

/// The generations so far.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    pub generations: Vec<Generation>,
}

impl Table {
    /// Reads the table, or starts one.
    ///
    /// # Errors
    /// The file cannot be read or written, or a row is no row. A last row that was cut off is dropped.
    pub fn open(path: PathBuf) -> Result<Self> {
        let mut table = Self {
            path,
            generations: vec![],
        };
        let text = match table.path.exists() {
            true => std::fs::read_to_string(&table.path).map_err(Error::io(&table.path))?,
            false => String::new(),
        };
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        for (number, line) in whole.lines().enumerate().skip(1) {
            table.generations.push(parse(line).ok_or_else(|| {
                Error::input(
                    format!("{}:{}", table.path.display(), number + 1),
                    format!("`{}`", line.chars().take(60).collect::<String>()),
                    "a generation's figures and hyperparameters",
                    "Delete the line",
                )
            })?);
        }
        let whole = match whole {
            "" => format!("{METRICS},{}\n", Hyp::KEYS.join(",")),
            rows => rows.to_owned(),
        };
        std::fs::write(&table.path, whole).map_err(Error::io(&table.path))?;
        Ok(table)
    }

    /// Adds a generation.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(&mut self, generation: Generation) -> Result<()> {
        self.generations.push(generation);
        let number = self.generations.len();
        let line = self
            .generations
            .last()
            .map(|generation| line(number, generation));
        let file = OpenOptions::new().append(true).open(&self.path);
        // One write per row: a reader never sees half of one.
        file.and_then(|mut file| {
            file.write_all(format!("{}\n", line.unwrap_or_default()).as_bytes())
        })
        .map_err(Error::io(&self.path))
    }

    /// The best generation with its number from 0.
    pub fn best(&self) -> Option<(usize, &Generation)> {
        let numbered = self.generations.iter().enumerate();
        numbered.max_by(|(_, a), (_, b)| a.fitness().total_cmp(&b.fitness()))
    }

    /// Those that may have children.
    pub fn individuals(&self) -> Vec<Individual> {
        let generations = self.generations.iter();
        generations
            .map(|generation| Individual {
                hyp: generation.hyp.clone(),
                fitness: generation.fitness(),
            })
            .collect()
    }
}

fn line(number: usize, generation: &Generation) -> String {
    let mut cells = vec![number.to_string(), generation.fitness().to_string()];
    cells.extend(generation.metrics.iter().map(f64::to_string));
    // A hyperparameter that is not set has an empty cell.
    let values = Hyp::KEYS.iter().map(|key| generation.hyp.get(key));
    cells.extend(values.map(|value| value.map_or(String::new(), |value| value.to_string())));
    cells.join(",")
}

fn parse(line: &str) -> Option<Generation> {
    let cells: Vec<&str> = line.split(',').collect();
    let (figures, values) = cells.split_at_checked(6)?;
    if values.len() != Hyp::KEYS.len() {
        return None;
    }
    let mut metrics = [0.0; 4];
    for (metric, cell) in metrics.iter_mut().zip(&figures[2..]) {
        *metric = cell.parse().ok()?;
    }
    let mut hyp = Hyp::default();
    for (key, cell) in Hyp::KEYS
        .iter()
        .zip(values)
        .filter(|(_, cell)| !cell.is_empty())
    {
        hyp.set(key, cell.parse().ok()?, key).ok()?;
    }
    Some(Generation { hyp, metrics })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_goes_on_with_what_it_held_and_names_a_bad_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evolve.csv");
        let generations: Vec<Generation> = [("low", 0.25), ("voc", 0.5), ("med", 0.125)]
            .into_iter()
            .map(|(set, map)| Generation {
                hyp: Hyp::named(set).unwrap(),
                metrics: [0.5, 0.25, 0.75, map],
            })
            .collect();
        let mut table = Table::open(path.clone()).unwrap();
        for generation in &generations {
            table.append(generation.clone()).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}4,0.1,0.")).unwrap();
        let table = Table::open(path.clone()).unwrap();
        assert_eq!(table.generations, generations);
        assert_eq!(table.best().unwrap().0, 1);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::write(&path, format!("{text}4,x\n")).unwrap();
        let error = Table::open(path).unwrap_err().to_string();
        assert!(error.contains("evolve.csv:5"), "{error}");
    }
}
