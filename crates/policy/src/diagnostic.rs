//! Findings about policy text, as plain data, and their rendering for people.

use std::collections::BTreeMap;
use std::ops::Range;

/// The class of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// Unknown key, or one that this version does not support yet.
    E01,
    /// Wrong type or unparsable value.
    E02,
    /// Missing field.
    E03,
    /// Dangling reference.
    E04,
    /// Duplicate id.
    E05,
    /// Variable or file absent.
    E06,
    /// Out of range.
    E07,
    /// Fields that exclude each other.
    E08,
    /// Unknown signal.
    Rc001,
    /// Unit or type mismatch.
    Rc002,
    /// Bare number against a signal that carries a unit.
    Rc008,
    /// No trigger can see the mutation.
    Rc009,
    /// A signer has more or less power than its steps.
    Rc010,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::E01 => "E01",
            Self::E02 => "E02",
            Self::E03 => "E03",
            Self::E04 => "E04",
            Self::E05 => "E05",
            Self::E06 => "E06",
            Self::E07 => "E07",
            Self::E08 => "E08",
            Self::Rc001 => "RC001",
            Self::Rc002 => "RC002",
            Self::Rc008 => "RC008",
            Self::Rc009 => "RC009",
            Self::Rc010 => "RC010",
        })
    }
}

/// One finding. All of them stop loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// File, as named by the caller or by `include`.
    pub file: String,
    /// Byte range in that file.
    pub span: Range<usize>,
    /// Line of its start, from 1.
    pub line: usize,
    /// Column of its start in characters, from 1.
    pub column: usize,
    /// Class.
    pub code: Code,
    /// One lowercase fragment.
    pub message: String,
    /// What to do next.
    pub help: String,
}

/// Ordering of `Range` is not defined by std; findings are sorted by where they start.
pub(crate) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    let key = |d: &Diagnostic| (d.file.clone(), d.span.start, d.span.end, d.code, d.message.clone());
    diagnostics.sort_by_key(key);
    diagnostics.dedup();
}

/// Line and column of a byte offset, both from 1.
pub(crate) fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    source: miette::NamedSource<String>,
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self.diagnostic, f)
    }
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn std::fmt::Display + 'b>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn help<'b>(&'b self) -> Option<Box<dyn std::fmt::Display + 'b>> {
        Some(Box::new(&self.diagnostic.help))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let span = self.diagnostic.span.clone();
        Some(Box::new(std::iter::once(miette::LabeledSpan::at(span, "here"))))
    }
}

/// Renders findings with their source lines, without colour. A file that is not in `sources` is shown by position only.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &BTreeMap<String, String>) -> String {
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor()).with_width(120);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let rendered = sources.get(&diagnostic.file).and_then(|text| {
            let source = miette::NamedSource::new(&diagnostic.file, text.clone());
            let mut one = String::new();
            handler.render_report(&mut one, &Shown { diagnostic, source }).ok().map(|()| one)
        });
        out.push_str(&rendered.unwrap_or_else(|| {
            let Diagnostic { file, line, column, code, message, help, .. } = diagnostic;
            format!("{code} {file}:{line}:{column}: {message}\n  help: {help}\n")
        }));
    }
    out
}

/// The candidate nearest to `word`, if it is near enough to be a slip of the fingers.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = word.chars().count() / 3 + 1;
    candidates.into_iter().map(|c| (distance(word, c), c)).filter(|(d, _)| *d <= bound).min().map(|(_, c)| c)
}

/// `did you mean …?`, or the list of what there is.
pub(crate) fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let mut all: Vec<&str> = candidates.into_iter().collect();
    all.sort_unstable();
    match nearest(word, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => "there is none to choose from".to_owned(),
        None => format!("choose one of: {}", all.join(", ")),
    }
}

/// Levenshtein distance; words longer than 64 characters are never near.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (cb, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = diagonal + usize::from(ca != cb);
            left = cost.min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}
