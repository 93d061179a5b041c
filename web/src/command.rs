//! The command of the native program that does what the page shows.

use frostline::model::Size;

use crate::messages::TrainAsk;

/// What `frostline train` would have to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command<'a> {
    /// Which network.
    pub size: Size,
    /// What is frozen, in the freeze language.
    pub freeze: &'a str,
    /// Side of the pictures in pixels.
    pub imgsz: usize,
    /// Pictures per step.
    pub batch: usize,
}

impl Command<'_> {
    /// The line to type into a shell. The number of classes comes from the data set.
    pub fn line(&self) -> String {
        let Self {
            size,
            freeze,
            imgsz,
            batch,
        } = self;
        let freeze = quoted(freeze.trim());
        format!(
            "frostline train --weights yolov5{size}.pt --data data.yaml --freeze {freeze} --imgsz {imgsz} --batch-size {batch}"
        )
    }
}

/// The line that does a run of the page natively. Weights and data yaml are those that come with the program where
/// none are named.
pub fn train_line(weights: Option<&str>, data: Option<&str>, ask: &TrainAsk) -> String {
    let mut words = vec!["frostline train".to_owned()];
    for (flag, file) in [("--weights", weights), ("--data", data)] {
        words.extend(file.map(|file| format!("{flag} {}", quoted(file))));
    }
    let freeze = quoted(ask.freeze.trim());
    words.push(format!(
        "--freeze {freeze} --epochs {} --imgsz {}",
        ask.epochs, ask.imgsz
    ));
    words.push(format!(
        "--batch-size {} --seed {} --cache-features auto",
        ask.batch, ask.seed
    ));
    words.extend(ask.lr0.map(|lr0| format!("--hyp-set lr0={lr0}")));
    words.extend(
        ask.optimizer
            .as_ref()
            .map(|name| format!("--optimizer {}", quoted(name))),
    );
    words.join(" ")
}

/// The line that validates exported weights.
pub fn val_line(data: Option<&str>, imgsz: usize) -> String {
    let data = data.map_or(String::new(), |file| format!(" --data {}", quoted(file)));
    format!("frostline val --weights best.safetensors{data} --imgsz {imgsz}")
}

/// A word that every common shell takes as it stands, in quotes where it needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ',' | '/');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(freeze: &str) -> String {
        Command {
            size: Size::S,
            freeze,
            imgsz: 320,
            batch: 8,
        }
        .line()
    }

    #[test]
    fn the_command_says_what_the_page_shows() {
        assert_eq!(
            line("10"),
            "frostline train --weights yolov5s.pt --data data.yaml --freeze 10 --imgsz 320 --batch-size 8"
        );
    }

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        for (freeze, word) in [
            (" 0-4,7 ", "0-4,7"),
            ("24; 10@5", "'24; 10@5'"),
            ("backbone,!9", "'backbone,!9'"),
            ("model.2.cv1.*", "'model.2.cv1.*'"),
            ("=5", "'=5'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert!(
                line(freeze).contains(&format!("--freeze {word} --imgsz")),
                "{freeze}"
            );
        }
    }

    #[test]
    fn a_run_of_the_page_is_told_natively_with_all_its_settings() {
        let text = r#"{"freeze":"24; 10@5","epochs":3,"imgsz":320,"batch":8,"seed":7,"lr0":0.002}"#;
        let ask: TrainAsk = serde_json::from_str(text).unwrap();
        assert_eq!(
            train_line(None, Some("my data.yaml"), &ask),
            "frostline train --data 'my data.yaml' --freeze '24; 10@5' --epochs 3 --imgsz 320 --batch-size 8 --seed 7 \
             --cache-features auto --hyp-set lr0=0.002"
        );
        assert_eq!(
            val_line(None, 320),
            "frostline val --weights best.safetensors --imgsz 320"
        );
    }
}
