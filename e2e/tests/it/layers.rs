//! Dependencies point one way: contract, chassis, services and edge, command.
use std::collections::BTreeMap;
use std::path::Path;

const SERVICES: [&str; 10] = [
    "identity",
    "catalog",
    "inventory",
    "cart",
    "order",
    "payment",
    "shipping",
    "promotion",
    "notification",
    "analytics",
];

/// The dependencies that a manifest names, of those in the workspace.
fn dependencies(folder: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    let ours: Vec<&str> =
        SERVICES.into_iter().chain(["contract", "chassis", "gateway", "cartwright", "e2e"]).collect();
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    // What tests need is nobody's way to call a service.
    let lines = lines.take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next()).map(String::from);
    names.filter(|name| ours.contains(&name.as_str())).collect()
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut allowed: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("chassis", vec!["contract"]),
        ("gateway-grpc-web", vec!["chassis", "contract"]),
        ("e2e", vec!["chassis", "contract"]),
    ]);
    let services = SERVICES.map(|noun| format!("services/{noun}"));
    allowed.extend(services.iter().map(|folder| (folder.as_str(), vec!["chassis", "contract"])));
    for (folder, allowed) in allowed {
        let found = dependencies(&root.join(folder));
        assert!(!found.is_empty(), "{folder} names no dependency: is the manifest read rightly?");
        let wrong: Vec<&String> = found.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{folder} depends on {wrong:?}");
    }
    assert!(dependencies(root).is_empty(), "the contract depends on nothing of ours");
}

#[test]
fn a_domain_does_no_input_or_output() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut looked_at = 0;
    for noun in SERVICES {
        let source = root.join("services").join(noun).join("src");
        let mut files = vec![source.join("domain.rs")];
        files.extend(rust_files(&source.join("domain")));
        for file in files.iter().filter(|file| file.exists()) {
            looked_at += 1;
            let text = std::fs::read_to_string(file).expect("a source file");
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for forbidden in ["sea_orm", "tonic::", "prost", "lapin", "async fn"] {
                assert!(!code.contains(forbidden), "{} uses {forbidden}", file.display());
            }
        }
    }
    assert!(looked_at >= SERVICES.len(), "only {looked_at} files of domains were found");
}

fn rust_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}
