//! CEL text to a syntax tree, within bounds. Only the parser of `cel` is used, without its macros.

use crate::diagnostic::Code;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use std::ops::Range;

/// Longest expression, bytes.
pub(crate) const SOURCE_BYTES_MAX: usize = 4_096;
/// Deepest tree.
pub(crate) const DEPTH_MAX: usize = 32;
/// Largest tree.
pub(crate) const NODES_MAX: usize = 512;
/// Longest message of the parser that is passed on, bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_024;
/// Most punctuation marks, and most words. The parser recurses on left-deep chains without a limit of its own, so what cannot
/// be a tree of [`NODES_MAX`] nodes must not reach it.
const TOKENS_MAX: usize = 1_024;

/// A finding inside one expression; the range counts characters of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) range: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) root: IdedExpr,
    info: SourceInfo,
}

impl Tree {
    /// Characters that a subtree spans.
    pub(crate) fn range(&self, expr: &IdedExpr) -> Range<usize> {
        let mut range: Option<Range<usize>> = None;
        visit(expr, 0, &mut |node, _| {
            if let Some((start, stop)) = self.info.offset_for(node.id) {
                let (start, stop) = (start as usize, (stop.max(start) as usize) + 1);
                // The parser places a function call at its bracket.
                let call = if let Expr::Call(call) = &node.expr { Some(call) } else { None };
                let named = call.filter(|c| c.target.is_none() && c.func_name.starts_with(char::is_alphabetic));
                let start = start.saturating_sub(named.map_or(0, |c| c.func_name.len()));
                range = Some(range.take().map_or(start..stop, |r| r.start.min(start)..r.end.max(stop)));
            }
        });
        range.unwrap_or(0..0)
    }
}

/// Parses within the bounds of the language.
pub(crate) fn parse(source: &str) -> Result<Tree, Finding> {
    let whole = 0..source.chars().count();
    let refuse = |message: String, help: &str| {
        Err(Finding { code: Code::E07, range: whole.clone(), message, help: help.to_owned() })
    };
    if source.len() > SOURCE_BYTES_MAX {
        return refuse(
            format!("the expression has {} bytes, at most {SOURCE_BYTES_MAX} are allowed", source.len()),
            SPLIT,
        );
    }
    let marks = source.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace() && *c != '_').count();
    let words = source.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()).count();
    if marks > TOKENS_MAX || words > TOKENS_MAX {
        return refuse(format!("the expression has more than {NODES_MAX} nodes"), SPLIT);
    }
    // The parser is foreign code fed with foreign text: a panic in it is a finding, not the end of the process.
    let parsed = std::panic::catch_unwind(|| cel::Env::default().parser().parse_with_source_info(source));
    let (root, info) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(errors)) => return Err(syntax(source, errors.errors.first())),
        Err(_panic) => return Err(syntax(source, None)),
    };
    let (mut nodes, mut deepest) = (0usize, 0usize);
    visit(&root, 1, &mut |_, depth| {
        nodes += 1;
        deepest = deepest.max(depth);
    });
    if nodes > NODES_MAX {
        return refuse(format!("the expression has {nodes} nodes, at most {NODES_MAX} are allowed"), SPLIT);
    }
    if deepest > DEPTH_MAX {
        return refuse(format!("the expression is {deepest} levels deep, at most {DEPTH_MAX} are allowed"), SPLIT);
    }
    Ok(Tree { root, info })
}

/// Names that an expression uses, as far as it can be parsed: signals, and variables of `all` and `exists`.
pub(crate) fn names(source: &str) -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    if let Ok(tree) = parse(source) {
        visit(&tree.root, 0, &mut |node, _| {
            if let Expr::Ident(name) = &node.expr {
                names.insert(name.clone());
            }
        });
    }
    names
}

const SPLIT: &str = "split it into several rules, or move parts into `calc` signals";

fn syntax(source: &str, error: Option<&cel::ParseError>) -> Finding {
    let length = source.chars().count();
    let (line, column) = error.map_or((0, 0), |e| e.pos);
    let before: usize =
        source.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or(0)).map(|l| l.chars().count()).sum();
    let start = before.saturating_add(usize::try_from(column - 1).unwrap_or(0)).min(length);
    let mut message = error.map_or_else(|| "the text cannot be parsed".to_owned(), |e| e.msg.clone());
    if message.len() > MESSAGE_BYTES_MAX {
        let cut = (0..=MESSAGE_BYTES_MAX - 3).rev().find(|i| message.is_char_boundary(*i)).unwrap_or(0);
        message.truncate(cut);
        message.push('…');
    }
    Finding {
        code: Code::E02,
        range: start..(start + 1).min(length).max(start),
        message,
        help: "write the condition that must hold, for example `backing >= ratio('0.9995')`".to_owned(),
    }
}

/// Visits a tree, parents first. The depth of a tree from the parser is bounded by its tokens, so this may recurse.
fn visit<'a>(expr: &'a IdedExpr, depth: usize, f: &mut impl FnMut(&'a IdedExpr, usize)) {
    f(expr, depth);
    let below = depth + 1;
    match &expr.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Call(call) => {
            if let Some(target) = &call.target {
                visit(target, below, f);
            }
            call.args.iter().for_each(|arg| visit(arg, below, f));
        }
        Expr::Comprehension(c) => {
            for part in [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result] {
                visit(part, below, f);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|e| visit(e, below, f)),
        Expr::Select(select) => visit(&select.operand, below, f),
        Expr::Map(map) => map.entries.iter().for_each(|e| visit_entry(&e.expr, below, f)),
        Expr::Struct(s) => s.entries.iter().for_each(|e| visit_entry(&e.expr, below, f)),
    }
}

fn visit_entry<'a>(entry: &'a EntryExpr, depth: usize, f: &mut impl FnMut(&'a IdedExpr, usize)) {
    match entry {
        EntryExpr::StructField(field) => visit(&field.value, depth, f),
        EntryExpr::MapEntry(entry) => {
            visit(&entry.key, depth, f);
            visit(&entry.value, depth, f);
        }
    }
}
