//! Rules that hold inside macros too, where there is no tree: they read the tokens of the file.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

use crate::tidy::{Finding, SourceFile};

/// Macros that stand for missing code. Written as names only: a call is a name followed by `!`.
const UNFINISHED: [&str; 2] = ["todo", "unimplemented"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    // The file has been parsed before, so its tokens are in order.
    let Ok(tokens) = file.text.parse::<TokenStream>() else {
        return Vec::new();
    };
    let mut reader = Reader { file, findings: Vec::new() };
    reader.read(tokens);
    reader.findings
}

/// Whether an identifier of this name stands anywhere in the tokens.
pub(super) fn contains(tokens: &TokenStream, name: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => contains(&group.stream(), name),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

struct Reader<'a> {
    file: &'a SourceFile,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            match token {
                TokenTree::Ident(ident) if is_punct(next, '!') => self.unfinished(ident),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let group = if is_punct(next, '!') { tokens.get(at + 2) } else { next };
                    if let Some(TokenTree::Group(group)) = group
                        && group.delimiter() == Delimiter::Bracket
                    {
                        self.attribute(&group.stream());
                    }
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn unfinished(&mut self, ident: &Ident) {
        if UNFINISHED.iter().any(|name| ident == name) {
            self.report(
                ident,
                format!("`{ident}!` stands for missing code"),
                "write it, or return an error that says what is missing",
            );
        }
    }

    /// Reads the inside of `#[..]`; the attributes inside `cfg_attr(..)` too.
    fn attribute(&mut self, tokens: &TokenStream) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            let TokenTree::Ident(ident) = token else { continue };
            let starts = at == 0 || is_punct(tokens.get(at - 1), ',');
            let arguments = match tokens.get(at + 1) {
                Some(TokenTree::Group(group)) => Some(group.stream()),
                _ => None,
            };
            if !starts {
                continue;
            }
            match (ident.to_string().as_str(), arguments) {
                ("cfg_attr", Some(inside)) => self.attribute(&inside),
                ("ignore", None) if !is_punct(tokens.get(at + 1), '=') => {
                    self.report(
                        ident,
                        "a test is ignored without a reason".to_owned(),
                        "write #[ignore = \"needs ...\"]",
                    );
                }
                ("allow", Some(_)) if !self.file.path.starts_with("fuzz/") => {
                    let help = "write #[expect(.., reason = \"..\")]: it goes away when its cause does";
                    self.report(ident, "a lint is allowed for good".to_owned(), help);
                }
                ("expect", Some(inside)) if !contains(&inside, "reason") => {
                    self.report(ident, "a lint is expected without a reason".to_owned(), "add reason = \"..\"");
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, at: &Ident, message: String, help: &'static str) {
        let (path, line) = (self.file.path.clone(), at.span().start().line);
        self.findings.push(Finding { path, line, message, help });
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}
