//! The licence texts of everything that is linked into the program, which their authors ask to go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::cargo;
use crate::shipped::files_below;

/// One text for the program built for `target`: each package's licence, each distinct text once.
pub fn of_program(target: &str) -> anyhow::Result<String> {
    let output = cargo()
        .args([
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            target,
        ])
        .output()
        .context("cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).with_context(|| {
        format!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    let linked = linked(&metadata, "frostline-cli")
        .context("cargo metadata has another form than expected")?;
    let mut heading =
        String::from("What the program is made of, and the licences of its parts.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let field = |name: &str| package[name].as_str().unwrap_or_default();
        if !linked.contains(field("id")) || package["source"].is_null() {
            continue;
        }
        let name = format!("{} {}", field("name"), field("version"));
        heading.push_str(&format!("{name}: {}\n", field("license")));
        let folder = Path::new(field("manifest_path"))
            .parent()
            .context("a manifest without a folder")?;
        for text in texts_in(folder)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut sections: Vec<(Vec<String>, String)> =
        texts.into_iter().map(|(text, of)| (of, text)).collect();
    sections.sort();
    for (of, text) in sections {
        heading.push_str(&format!(
            "\n{}\n{}\n\n{text}\n",
            "=".repeat(80),
            of.join(", ")
        ));
    }
    Ok(heading)
}

/// The ids of what `program` needs to run: neither what builds nor what tests it.
fn linked<'a>(metadata: &'a Value, program: &str) -> Option<BTreeSet<&'a str>> {
    let nodes = metadata["resolve"]["nodes"].as_array()?;
    let needs: BTreeMap<&str, &Value> = nodes
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, &node["deps"])))
        .collect();
    let packages = metadata["packages"].as_array()?;
    let first = packages.iter().find(|package| package["name"] == program)?;
    let mut open = vec![first["id"].as_str()?];
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            for need in needs.get(id)?.as_array()? {
                let kinds = need["dep_kinds"].as_array()?;
                if kinds.iter().any(|kind| kind["kind"].is_null()) {
                    open.push(need["pkg"].as_str()?);
                }
            }
        }
    }
    Some(found)
}

/// The licence files of a package, its fonts' among them.
fn texts_in(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for file in files_below(folder).with_context(|| folder.display().to_string())? {
        let name = file.to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_licence || (name.starts_with("FONTS/") && name.ends_with(".TXT")) {
            let text = std::fs::read(folder.join(&file)).with_context(|| file.clone())?;
            let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
            texts.insert(text.trim().to_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_linked_is_named() {
        let needs = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = json!({
            "packages": [{"name": "program", "id": "p"}],
            "resolve": {"nodes": [
                {"id": "p", "deps": [needs("a", Value::Null), needs("t", json!("dev"))]},
                {"id": "a", "deps": [needs("b", Value::Null), needs("g", json!("build"))]},
                {"id": "b", "deps": []},
            ]},
        });
        assert_eq!(
            linked(&metadata, "program").unwrap(),
            BTreeSet::from(["p", "a", "b"])
        );
        assert!(linked(&metadata, "other").is_none());
    }

    #[test]
    fn licences_are_found_beside_the_manifest_and_beside_fonts() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir_all(folder.path().join("fonts")).unwrap();
        write("LICENSE-MIT", "one\r\ntwo\r\n");
        write("license.md", "one\ntwo");
        write("fonts/OFL.txt", "three");
        write("README.md", "four");
        let wanted = ["one\ntwo", "three"].map(str::to_owned);
        assert_eq!(texts_in(folder.path()).unwrap(), BTreeSet::from(wanted));
    }
}
