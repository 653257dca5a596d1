//! Keeps the floor plan true: who may import whom, what stays sans-IO, how long a file and a function may grow.
//!
//! Knows the sources as text only. The rules have tests of their own below, so the guard cannot pass by being blind.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Every module under `src/` and its floor; a module imports its own and those of lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("frame", 1),
    ("extension", 2),
    ("message", 3),
    ("handshake", 3),
    ("engine", 4),
    ("session", 5),
    ("server", 6),
    ("client", 6),
    ("rpc", 7),
    ("topic", 7),
    ("docs", ROOF),
    ("error", ROOF),
    ("internals", ROOF),
];
/// The roof gathers and re-exports, so it may see everything.
const ROOF: u8 = 8;
/// Up to this floor there is no runtime, no clock and no socket.
const LAST_SANS_IO: u8 = 4;

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 60;

struct Source {
    /// As shown in a violation.
    path: String,
    /// Where its crate lies: empty for the root crate, the only one with floors.
    wing: String,
    module: Vec<String>,
    syntax: syn::File,
    lines: usize,
}

impl Source {
    /// `path` is relative to the workspace: `src/frame/mask.rs` is the module `frame::mask`.
    fn parse(path: &str, text: &str) -> Self {
        let (wing, stem) = path.trim_end_matches(".rs").split_once("src/").unwrap();
        let stem = stem.strip_suffix("/mod").unwrap_or(stem);
        let module = stem.split('/').filter(|name| *name != "lib").map(str::to_owned).collect();
        let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), wing: wing.to_owned(), module, syntax, lines: text.lines().count() }
    }

    /// The modules that this file declares for tests only and keeps in files of their own.
    fn test_modules(&self) -> Vec<Vec<String>> {
        let declared = self.syntax.items.iter().filter_map(|item| match item {
            syn::Item::Mod(item) if item.content.is_none() && is_test_only(&item.attrs) => {
                Some(item.ident.to_string())
            }
            _ => None,
        });
        declared.map(|name| [self.module.as_slice(), &[name]].concat()).collect()
    }

    fn is_test(&self, all: &[Source]) -> bool {
        let siblings = all.iter().filter(|source| source.wing == self.wing);
        is_test_only(&self.syntax.attrs)
            || siblings.flat_map(Source::test_modules).any(|test| self.module.starts_with(&test))
    }

    fn floor(&self) -> Option<u8> {
        match self.module.first() {
            Some(name) if self.wing.is_empty() => floor_of(name),
            _ => Some(ROOF),
        }
    }

    /// The lines above the test modules at the end.
    fn own_lines(&self) -> usize {
        let tail = self.syntax.items.iter().rev().map_while(|item| match item {
            syn::Item::Mod(module) if is_test_only(&module.attrs) => Some(item.span().start().line - 1),
            _ => None,
        });
        tail.last().unwrap_or(self.lines)
    }
}

fn violations(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let mut walk = Walk {
            path: &source.path,
            floor: source.floor(),
            module: source.module.clone(),
            in_test: source.is_test(sources),
            found: Vec::new(),
        };
        if walk.floor.is_none() {
            walk.report(Span::call_site(), "is a module without a floor: give it one in FLOORS".into());
        }
        if !walk.in_test && source.own_lines() > MAX_FILE_LINES {
            let lines = source.own_lines();
            walk.report(Span::call_site(), format!("has {lines} lines, more than {MAX_FILE_LINES}"));
        }
        walk.visit_file(&source.syntax);
        found.append(&mut walk.found);
    }
    found
}

fn floor_of(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(module, _)| *module == name).map(|(_, floor)| *floor)
}

/// Whether `#[cfg(test)]` or `#[cfg(all(test, …))]` is among the attributes.
fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        let condition = condition.replace(' ', "");
        condition == "test" || condition.starts_with("all(test,")
    })
}

/// `#[test]`, `#[tokio::test]` and their kin.
fn is_test_function(attributes: &[syn::Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "test"))
}

/// A walk through one file.
struct Walk<'a> {
    path: &'a str,
    /// `None` where `FLOORS` does not know the module.
    floor: Option<u8>,
    /// Where `self::` points to, inline modules included.
    module: Vec<String>,
    in_test: bool,
    found: Vec<String>,
}

impl Walk<'_> {
    fn report(&mut self, span: Span, what: String) {
        self.found.push(format!("{}:{}: {what}", self.path, span.start().line));
    }

    fn within(&mut self, attributes: &[syn::Attribute], walk: impl FnOnce(&mut Self)) {
        let outside = self.in_test;
        self.in_test |= is_test_only(attributes) || is_test_function(attributes);
        walk(self);
        self.in_test = outside;
    }

    fn is_sans_io(&self) -> bool {
        !self.in_test && self.floor.is_some_and(|floor| floor <= LAST_SANS_IO)
    }

    /// Checks one path, wherever it stands: in a `use`, in a type, in an expression or inside a macro.
    fn check(&mut self, names: &[String], span: Span) {
        if self.floor == Some(ROOF) {
            return;
        }
        let path = names.join("::");
        let climbs = names.iter().filter(|name| *name == "super").count();
        if names[0] == "crate" {
            self.check_crate_path(names, span);
        } else if climbs > 0 && climbs >= self.module.len() {
            self.report(span, format!("`{path}` climbs out of its module: import by full path"));
        }
        if self.is_sans_io() && does_io(names) {
            self.report(span, format!("`{path}` on a sans-IO floor"));
        }
    }

    fn check_crate_path(&mut self, names: &[String], span: Span) {
        let path = names.join("::");
        let Some(target) = names.get(1) else {
            return self.report(span, "imports the crate itself: import by full module path".into());
        };
        if self.module.first() == Some(target) {
            return;
        }
        match (floor_of(target), self.floor) {
            (None, _) => {
                self.report(span, format!("`{path}` goes through the root: import by full module path"))
            }
            (Some(theirs), Some(ours)) if theirs >= ours => {
                self.report(span, format!("`{path}` is on floor {theirs}, this file on floor {ours}"));
            }
            _ => {}
        }
    }

    /// Checks every path in tokens that are not parsed. `crate::{…}` cannot be told apart there, so it is refused.
    fn check_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => colons += 1,
                TokenTree::Ident(name) if colons == 2 => {
                    (path, colons) = ([path, vec![name.to_string()]].concat(), 0)
                }
                TokenTree::Ident(name) => {
                    self.check_token_path(&path, start);
                    (path, start, colons) = (vec![name.to_string()], name.span(), 0);
                }
                _ => {
                    if colons == 2 {
                        path.push("{…}".into());
                    }
                    self.check_token_path(&path, start);
                    (path, colons) = (Vec::new(), 0);
                }
            }
            if let TokenTree::Group(group) = token {
                self.check_tokens(group.stream());
            }
        }
        self.check_token_path(&path, start);
    }

    fn check_token_path(&mut self, path: &[String], span: Span) {
        match path {
            [] => {}
            [word] if word != "await" && word != "spawn" => {}
            [_] if !self.is_sans_io() => {}
            [word] => self.report(span, format!("`{word}` on a sans-IO floor")),
            _ => self.check(path, span),
        }
    }

    fn check_use(&mut self, tree: &syn::UseTree, mut names: Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                names.push(path.ident.to_string());
                return self.check_use(&path.tree, names);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.check_use(tree, names.clone()));
            }
            syn::UseTree::Name(name) => names.push(name.ident.to_string()),
            syn::UseTree::Rename(rename) => names.push(rename.ident.to_string()),
            syn::UseTree::Glob(_) => names.push("*".into()),
        }
        self.check(&names, tree.span());
    }

    fn check_function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.brace_token.span.close().end().line - signature.span().start().line + 1;
        if !self.in_test && lines > MAX_FUNCTION_LINES {
            let name = &signature.ident;
            self.report(
                signature.span(),
                format!("`{name}` has {lines} lines, more than {MAX_FUNCTION_LINES}"),
            );
        }
    }
}

/// Whether a path names a runtime, a clock, a thread or a socket.
fn does_io(names: &[String]) -> bool {
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    names[0] == "tokio"
        || names.starts_with(&["std", "thread"])
        || names.iter().any(|name| ["spawn", "TcpStream", "TcpListener", "UdpSocket"].contains(name))
        || names.windows(2).any(|pair| pair == ["Instant", "now"] || pair == ["SystemTime", "now"])
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
            self.report(item.span(), "`#[path]` hides which floor a file is on".into());
        }
        self.module.push(item.ident.to_string());
        self.within(&item.attrs, |walk| visit::visit_item_mod(walk, item));
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.within(&item.attrs, |walk| walk.check_use(&item.tree, Vec::new()));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        self.within(&item.attrs, |walk| visit::visit_item_impl(walk, item));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(&item.attrs, |walk| {
            walk.check_function(&item.sig, &item.block);
            visit::visit_item_fn(walk, item);
        });
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.within(&item.attrs, |walk| {
            walk.check_function(&item.sig, &item.block);
            visit::visit_impl_item_fn(walk, item);
        });
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.check_function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if signature.asyncness.is_some() && self.is_sans_io() {
            self.report(signature.span(), format!("async `{}` on a sans-IO floor", signature.ident));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &'ast syn::ExprAsync) {
        if self.is_sans_io() {
            self.report(block.span(), "an async block on a sans-IO floor".into());
        }
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        // `elapsed` reads the clock behind an instant's back.
        if self.is_sans_io() && (call.method == "spawn" || call.method == "elapsed") {
            self.report(call.span(), format!("`.{}()` on a sans-IO floor", call.method));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.check(&names, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.is_ident("include") {
            self.report(call.span(), "`include!` hides source from these rules".into());
        }
        self.visit_path(&call.path);
        self.check_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        // Links in docs may point anywhere: they are for readers.
        if attribute.path().is_ident("doc") {
            return;
        }
        if let syn::Meta::List(list) = &attribute.meta {
            self.check_tokens(list.tokens.clone());
        }
    }

    // `pub(crate)` and `pub(super)` say who may look in, not where this file looks.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}
}

fn read_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    read_into(&mut sources, root, &root.join("src"));
    // Absent from a packaged crate, which holds `src` only.
    for wing in fs::read_dir(root.join("converters")).into_iter().flatten() {
        read_into(&mut sources, root, &wing.unwrap().path().join("src"));
    }
    if root.join("macros/src").exists() {
        read_into(&mut sources, root, &root.join("macros/src"));
    }
    sources
}

fn read_into(sources: &mut Vec<Source>, root: &Path, directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_into(sources, root, &path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source::parse(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_house_keeps_its_rules() {
    let sources = read_sources();
    assert!(sources.iter().any(|source| source.path == "src/lib.rs"), "the walk found no sources");
    let found = violations(&sources);
    assert!(found.is_empty(), "{} violations\n{}", found.len(), found.join("\n"));
}

mod rules {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        violations(&[Source::parse(path, text)])
    }

    #[track_caller]
    fn refused(path: &str, text: &str) {
        assert_eq!(found(path, text).len(), 1, "{text}\n{:?}", found(path, text));
    }

    #[track_caller]
    fn allowed(path: &str, text: &str) {
        assert!(found(path, text).is_empty(), "{text}\n{:?}", found(path, text));
    }

    fn lines(count: usize) -> String {
        "\n".repeat(count)
    }

    #[test]
    fn imports_go_down() {
        allowed("src/engine/mod.rs", "use crate::frame::{Frame, mask::Mask}; use crate::message::Assembler;");
        allowed("src/session.rs", "use crate::engine::*; type E = crate::frame::Error;");
        refused("src/engine/mod.rs", "use crate::session::Session;");
        refused("src/engine/mod.rs", "use crate::{frame::Frame, session::Session};");
        refused("src/frame/decoder.rs", "use crate::extension::Stack as Down;");
        refused("src/frame.rs", "pub use crate::engine::*;");
    }

    #[test]
    fn siblings_are_strangers() {
        refused("src/message/mod.rs", "use crate::handshake::Head;");
        refused("src/client/dial.rs", "use crate::server::Route;");
        refused("src/topic.rs", "use crate::rpc::Call;");
        allowed("src/client/dial.rs", "use crate::client::options::Options;");
    }

    #[test]
    fn full_paths_count_like_imports() {
        refused("src/engine/mod.rs", "fn f() { crate::session::start(); }");
        refused("src/engine/mod.rs", "fn f() -> Vec<crate::session::Session> { g() }");
        refused("src/engine/mod.rs", "impl From<u8> for crate::server::Route {}");
        refused("src/engine/mod.rs", "fn f() { assert_eq!(1, g(crate::session::ONE)); }");
        refused("src/engine/mod.rs", "macro_rules! m { () => { $crate::session::start() } }");
        refused("src/engine/mod.rs", "macro_rules! m { () => { use crate::{frame::A, session::B}; } }");
        refused("src/engine/mod.rs", "#[derive(Debug)] #[from(crate::session::Error)] struct S;");
        allowed("src/engine/mod.rs", "fn f() { assert_eq!(1, g(crate::frame::ONE)); }");
    }

    #[test]
    fn nobody_below_the_roof_goes_through_the_root() {
        refused("src/rpc/mod.rs", "use crate::Error;");
        refused("src/rpc/mod.rs", "use crate::error::Error;");
        refused("src/rpc/mod.rs", "use crate::{self as root};");
        refused("src/rpc/mod.rs", "use crate as root;");
        refused("src/rpc/mod.rs", "use crate::*;");
        allowed("src/lib.rs", "mod error; pub use crate::error::Error; pub use session::Session;");
        allowed("src/error.rs", "use crate::rpc::CallError; use crate::frame::Violation;");
    }

    #[test]
    fn super_stays_inside_its_module() {
        allowed("src/frame/decoder.rs", "use super::header::Header; mod tests { use super::super::mask; }");
        allowed("src/frame.rs", "mod tests { use super::*; }");
        refused("src/frame.rs", "use super::session::Session;");
        refused("src/frame/decoder.rs", "use super::super::session::Session;");
        refused("src/frame/decoder.rs", "fn f() { super::super::session::start() }");
        refused("src/frame/decoder.rs", "fn f() { println!(\"{}\", super::super::session::start()) }");
        refused("src/frame/mod.rs", "use self::super::session::Session;");
    }

    #[test]
    fn links_in_docs_and_visibility_are_not_imports() {
        allowed(
            "src/frame.rs",
            "//! See [`crate::session`].\n/// See [`crate::Error`].\npub(crate) struct F;",
        );
        allowed("src/frame/a.rs", "pub(in crate::frame) struct F; pub(super) fn f() {}");
    }

    #[test]
    fn every_module_has_a_floor_and_shows_its_file() {
        refused("src/helpers.rs", "");
        refused("src/frame.rs", "#[path = \"session.rs\"] mod hidden;");
        refused("src/frame.rs", "include!(\"session.rs\");");
    }

    #[test]
    fn the_lower_floors_do_no_io() {
        for path in
            ["src/frame.rs", "src/extension.rs", "src/message.rs", "src/handshake.rs", "src/engine.rs"]
        {
            refused(path, "use tokio::time::Sleep;");
            refused(path, "fn f() -> Instant { std::time::Instant::now() }");
            refused(path, "fn f() { dbg!(Instant::now()); }");
            refused(path, "fn f(at: Instant) -> Duration { at.elapsed() }");
            refused(path, "fn f() { std::thread::spawn(g); }");
            refused(path, "fn f(scope: Scope) { scope.spawn(g); }");
            refused(path, "use std::net::TcpStream;");
            refused(path, "async fn f() {}");
            refused(path, "fn f() { select!(a.await); }");
        }
        allowed("src/handshake.rs", "use tokio_tungstenite::tungstenite::http; use std::net::IpAddr;");
        allowed(
            "src/engine.rs",
            "#[cfg(test)] mod tests { fn f() { Instant::now(); } #[tokio::test] async fn g() {} }",
        );
        allowed("src/session.rs", "use tokio::spawn; async fn f() { Instant::now(); spawn(g).await }");
    }

    #[test]
    fn a_file_is_short_but_for_its_tests() {
        allowed("src/frame.rs", &lines(400));
        refused("src/frame.rs", &lines(401));
        refused("converters/json/src/lib.rs", &lines(401));
        refused("src/lib.rs", &lines(401));
        let tail = format!("{}#[cfg(test)]\nmod tests {{{}}}", lines(400), lines(400));
        allowed("src/frame.rs", &tail);
        refused("src/frame.rs", &format!("\n{tail}"));
        refused("src/frame.rs", &format!("{tail}\nstruct Below;"));
        refused("src/frame.rs", &tail.replace("cfg(test)", "cfg(not(test))"));
    }

    #[test]
    fn tests_in_a_file_of_their_own_are_tests() {
        let parent = Source::parse("src/frame/mod.rs", "#[cfg(test)] mod tests;");
        let tests = format!("fn f() {{ Instant::now();{} }}", lines(500));
        assert!(violations(&[parent, Source::parse("src/frame/tests/long.rs", &tests)]).is_empty());
        assert_eq!(found("src/frame/tests/long.rs", &tests).len(), 3);

        let parent = || Source::parse("converters/json/src/lib.rs", "#[cfg(test)] mod tests;");
        let tests = lines(500);
        assert!(violations(&[parent(), Source::parse("converters/json/src/tests.rs", &tests)]).is_empty());
        assert_eq!(violations(&[parent(), Source::parse("converters/cbor/src/tests.rs", &tests)]).len(), 1);
    }

    #[test]
    fn a_function_is_short_but_for_tests() {
        let function = |lines: usize| format!("pub fn f(\n) {{{}}}", "\n".repeat(lines - 2));
        allowed("src/frame.rs", &function(60));
        refused("src/frame.rs", &function(61));
        refused("converters/json/src/lib.rs", &function(61));
        refused("src/frame.rs", &format!("impl F {{ {} }}", function(61)));
        refused("src/frame.rs", &format!("trait F {{ {} }}", function(61).replace("pub ", "")));
        allowed("src/frame.rs", &format!("#[test] {}", function(61)));
        allowed("src/frame.rs", &format!("#[cfg(test)] mod tests {{ {} }}", function(61)));
        allowed("src/frame.rs", &format!("/// Docs\n{}", function(60)));
    }
}
