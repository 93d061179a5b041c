//! One spelling for the name of a tensor: the reference's state dict (FACTS 1),
//! such as `model.2.cv1.conv.weight`.

/// Strips what wrappers put before the reference's names: `module.` (data-parallel training), a
/// second `model.` (state dicts of a wrapper) and `ema.`; adds the `model.` that a state dict of
/// the bare list of modules lacks.
pub fn canonical(name: &str) -> String {
    let mut rest = name;
    loop {
        let inner = ["module.", "ema.", "_orig_mod."]
            .iter()
            .find_map(|wrapper| rest.strip_prefix(wrapper))
            .or_else(|| {
                rest.strip_prefix("model.")
                    .filter(|inner| ["model.", "module."].iter().any(|w| inner.starts_with(w)))
            });
        match inner {
            Some(inner) => rest = inner,
            None => break,
        }
    }
    if module_number(rest).is_some() {
        format!("model.{rest}")
    } else {
        rest.to_owned()
    }
}

/// The index of the module that a tensor belongs to: 2 for `model.2.cv1.conv.weight`.
pub fn module_index(name: &str) -> Option<usize> {
    module_number(name.strip_prefix("model.")?)
}

/// Whether the tensor counts batches; it is the only integer of the network.
pub fn is_counter(name: &str) -> bool {
    name.ends_with("num_batches_tracked")
}

fn module_number(name: &str) -> Option<usize> {
    let (number, _) = name.split_once('.')?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_stripped_and_names_of_the_reference_stay() {
        for (found, expected) in [
            ("model.0.conv.weight", "model.0.conv.weight"),
            ("model.model.0.conv.weight", "model.0.conv.weight"),
            ("module.model.0.conv.weight", "model.0.conv.weight"),
            ("model.module.model.0.conv.weight", "model.0.conv.weight"),
            ("ema.model.24.anchors", "model.24.anchors"),
            ("24.m.0.bias", "model.24.m.0.bias"),
            ("stride", "stride"),
            ("model.", "model."),
            ("", ""),
        ] {
            assert_eq!(canonical(found), expected);
        }
    }

    #[test]
    fn the_module_index_is_read_from_the_name() {
        assert_eq!(module_index("model.24.m.0.bias"), Some(24));
        assert_eq!(module_index("model.x.m.0.bias"), None);
        assert_eq!(module_index("model.+1.bias"), None);
        assert_eq!(module_index("model.99999999999999999999999.a"), None);
    }
}
