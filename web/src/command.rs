//! The command of the native program that does what the page shows.

use frostline::model::Size;

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
}
