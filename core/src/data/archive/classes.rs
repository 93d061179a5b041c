//! Class names of several folders, brought together by name.

/// The names so far.
pub(super) struct Classes {
    names: Vec<String>,
}

impl Classes {
    /// Begins with the names that are known.
    pub(super) fn new(known: &[String]) -> Self {
        Self {
            names: known.to_vec(),
        }
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.names
    }

    /// The index of a name, which is new or not.
    pub(super) fn index_of(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    /// The index of class `class` of a folder without names: the class that is known under this index, otherwise
    /// one called by its number.
    pub(super) fn unnamed(&mut self, class: usize) -> usize {
        let number = number_name(class);
        let by_number = self.names.iter().position(|name| *name == number);
        let known = self.names.get(class).filter(|name| !is_number_name(name));
        match (by_number, known) {
            (Some(index), _) => index,
            (None, Some(_)) => class,
            (None, None) => self.index_of(&number),
        }
    }

    /// Takes the names of a folder that has nothing else: classes that are called by a number get theirs.
    pub(super) fn name_numbers(&mut self, names: &[String]) {
        for (class, name) in names.iter().enumerate() {
            let number = number_name(class);
            match self.names.iter().position(|known| *known == number) {
                Some(index) if !self.names.contains(name) => self.names[index].clone_from(name),
                _ => {
                    self.index_of(name);
                }
            }
        }
    }
}

fn number_name(class: usize) -> String {
    format!("class {class}")
}

fn is_number_name(name: &str) -> bool {
    let number = name.strip_prefix("class ");
    number.is_some_and(|number| number.parse::<usize>().is_ok())
}
