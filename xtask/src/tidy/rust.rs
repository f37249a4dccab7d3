//! Rules for one Rust file: its name, its length, and what stands in it.

mod tokens;

use syn::visit::{self, Visit};

use super::{Finding, SourceFile};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;

const FILE_NAMES: [&str; 8] =
    ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "common.rs", "manager.rs", "service.rs", "types.rs"];

pub(super) fn file_name(path: &str) -> Option<Finding> {
    let name = path.rsplit('/').next().unwrap_or(path);
    FILE_NAMES.contains(&name).then(|| Finding {
        path: path.to_owned(),
        line: 1,
        message: format!("a file named {name} says nothing of what it owns"),
        help: "name it after the domain noun it holds; a module is foo.rs with foo/bar.rs",
    })
}

pub(super) fn check(file: &SourceFile, tree: &syn::File) -> Vec<Finding> {
    let mut reader = Reader { path: &file.path, test_lines: 0, in_test: false, findings: Vec::new() };
    reader.visit_file(tree);
    let lines = file.text.lines().count().saturating_sub(reader.test_lines);
    if lines > FILE_LINES_MAX && !is_test_file(&file.path) {
        let message = format!("{lines} lines without tests, at most {FILE_LINES_MAX}");
        reader.report(1, message, "split it along the nouns of its domain: foo.rs and foo/bar.rs");
    }
    let mut findings = reader.findings;
    findings.extend(tokens::check(file));
    findings
}

/// Files under `tests/`, and `tests.rs`, which holds a `#[cfg(test)]` module that outgrew its file.
fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

struct Reader<'a> {
    path: &'a str,
    /// Lines of inline `#[cfg(test)]` modules.
    test_lines: usize,
    in_test: bool,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn report(&mut self, line: usize, message: String, help: &'static str) {
        self.findings.push(Finding { path: self.path.to_owned(), line, message, help });
    }

    fn function(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let (first, last) = (signature.fn_token.span.start().line, body.brace_token.span.close().end().line);
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let message = format!("`{}` has {lines} lines, at most {FUNCTION_LINES_MAX}", signature.ident);
            self.report(first, message, "give its parts names of their own");
        }
    }

    fn type_name(&mut self, ident: &syn::Ident, is_trait: bool) {
        let name = ident.to_string();
        let capital_after = |prefix| {
            name.strip_prefix(prefix).is_some_and(|rest: &str| rest.starts_with(|c: char| c.is_ascii_uppercase()))
        };
        let pattern = name.ends_with("Trait")
            || name.ends_with("Impl")
            // The base fee is a term of the field.
            || (capital_after("Base") && !name.starts_with("BaseFee"))
            || (is_trait && capital_after("I"));
        if pattern {
            let message = format!("the name `{name}` speaks of its pattern, not of what it is");
            self.report(ident.span().start().line, message, "name it after the thing in the domain");
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let Some((braces, _)) = item.content.as_ref().filter(|_| !self.in_test && item.attrs.iter().any(is_cfg_test))
        else {
            return visit::visit_item_mod(self, item);
        };
        let first = item.attrs.first().map_or(item.mod_token.span, |attribute| attribute.pound_token.span);
        self.test_lines += braces.span.close().end().line + 1 - first.start().line;
        self.in_test = true;
        visit::visit_item_mod(self, item);
        self.in_test = false;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.type_name(&item.ident, false);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.type_name(&item.ident, false);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.type_name(&item.ident, false);
        visit::visit_item_type(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.type_name(&item.ident, true);
        visit::visit_item_trait(self, item);
    }
}

/// `cfg(test)` and what implies it, such as `cfg(all(test, unix))`; `cfg(not(test))` is code that ships.
fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else {
        return false;
    };
    list.path.is_ident("cfg")
        && tokens::contains(&list.tokens, "test")
        && !tokens::contains(&list.tokens, "not")
        && !tokens::contains(&list.tokens, "any")
}

#[cfg(test)]
mod tests;
