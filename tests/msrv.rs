//! Keeps `rust-version` honest: no dependency that users build may ask for a newer compiler than we do.
#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::process::Command;

use serde_json::Value;

type Version = (u64, u64, u64);

/// `1.88` and `1.88.0` are the same version.
fn version(text: &str) -> Version {
    let mut parts = text.split('.').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// What cargo resolves for this host with every feature on. Offline first: a build has fetched nearly all of it.
fn metadata() -> Value {
    let cargo = env!("CARGO");
    let rustc = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let rustc = String::from_utf8(rustc).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let run = |more: &[&str]| {
        let mut command = Command::new(cargo);
        command.args(["metadata", "--format-version", "1", "--all-features", "--filter-platform", host]);
        command.args(["--manifest-path", manifest]).args(more).output().unwrap()
    };
    let mut output = run(&["--offline"]);
    if !output.status.success() {
        output = run(&[]);
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

/// The packages that `root` needs to be built, itself included: what only its tests need is left out.
fn needed<'a>(metadata: &'a Value, root: &'a str) -> HashSet<&'a str> {
    let nodes = list(&metadata["resolve"], "nodes");
    let nodes: HashMap<_, _> = nodes.iter().map(|node| (text(node, "id"), node)).collect();
    let mut seen = HashSet::new();
    let mut open = vec![root];
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let is_built = |edge: &&Value| list(edge, "dep_kinds").iter().any(|kind| kind["kind"] != "dev");
        open.extend(list(nodes[id], "deps").iter().filter(is_built).map(|edge| text(edge, "pkg")));
    }
    seen
}

/// Every package that needs a newer compiler than the workspace member that needs it.
fn violations(metadata: &Value) -> Vec<String> {
    let packages: HashMap<_, _> =
        list(metadata, "packages").iter().map(|package| (text(package, "id"), package)).collect();
    let mut found = Vec::new();
    for member in list(metadata, "workspace_members") {
        let member = packages[member.as_str().unwrap()];
        let ours = member["rust_version"].as_str().unwrap_or("0.0");
        for id in needed(metadata, text(member, "id")) {
            let package = packages[id];
            let Some(theirs) = package["rust_version"].as_str() else { continue };
            if version(theirs) > version(ours) {
                let names = (text(member, "name"), text(package, "name"), text(package, "version"));
                found.push(format!(
                    "{} ({ours}) needs {} {}, which needs {theirs}",
                    names.0, names.1, names.2
                ));
            }
        }
    }
    found
}

#[test]
fn no_dependency_needs_a_newer_compiler() {
    let metadata = metadata();
    let root = text(&metadata["resolve"], "root");
    let needed = needed(&metadata, root);
    for known in ["#converse-core@", "#tokio@", "#tokio-rustls@"] {
        assert!(needed.iter().any(|id| id.contains(known)), "the walk did not see {known}: {needed:?}");
    }
    let found = violations(&metadata);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// `ours` needs `normal` and `build`, `normal` needs `deep`, and only the tests of `ours` need `dev`.
fn made_up(versions: [&str; 5]) -> Value {
    let names = ["ours", "normal", "build", "deep", "dev"];
    let package = |(name, version): (&str, &str)| serde_json::json!({"id": name, "name": name, "version": "1.0.0", "rust_version": version});
    let edge =
        |name: &str, kind: Option<&str>| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
    let node = |name: &str, deps: Vec<Value>| serde_json::json!({"id": name, "deps": deps});
    serde_json::json!({
        "workspace_members": ["ours"],
        "packages": names.into_iter().zip(versions).map(package).collect::<Vec<_>>(),
        "resolve": {"nodes": [
            node("ours", vec![edge("normal", None), edge("build", Some("build")), edge("dev", Some("dev"))]),
            node("normal", vec![edge("deep", None)]),
            node("build", vec![]),
            node("deep", vec![]),
            node("dev", vec![]),
        ]},
    })
}

#[test]
fn a_newer_dependency_is_found_wherever_users_build_it() {
    assert!(violations(&made_up(["1.88", "1.88.0", "1.9", "1.0", "1.99"])).is_empty());
    assert_eq!(violations(&made_up(["1.88", "1.89", "1.0", "1.0", "1.0"])).len(), 1);
    assert_eq!(violations(&made_up(["1.88", "1.0", "1.88.1", "1.0", "1.0"])).len(), 1);
    assert_eq!(violations(&made_up(["1.88", "1.0", "1.0", "2.0", "1.0"])).len(), 1);
}
