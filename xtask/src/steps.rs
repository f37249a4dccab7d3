//! The list of steps of one run: names and times each, stops at the first failure, ends with a table.

use std::time::{Duration, Instant};

use crate::failure::Failure;

/// What a step has to say at the end: the summary lines of the runner it started.
pub(crate) type Summary = Vec<String>;

pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
    summary: Summary,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { done: Vec::new() }
    }

    #[expect(clippy::disallowed_methods, reason = "a step of the checks is timed for the person who waits for it")]
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<Summary, Failure>,
    ) -> Result<(), Failure> {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let outcome = step();
        let took = start.elapsed();
        eprintln!("<== {name}: {:.1} s", took.as_secs_f64());
        let passed = outcome.is_ok();
        let (summary, outcome) = match outcome {
            Ok(summary) => (summary, Ok(())),
            Err(failure) => (Summary::new(), Err(failure)),
        };
        self.done.push(Step { name, took, passed, summary });
        outcome
    }

    /// One line a step, then the runners' own words; those of `last` come at the very end.
    pub(crate) fn table(&self, last: &str) -> String {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or_default();
        let mut text = String::from("\n");
        for step in &self.done {
            let verdict = if step.passed { "passed" } else { "FAILED" };
            text.push_str(&format!("{:width$}  {verdict}  {:>7.1} s\n", step.name, step.took.as_secs_f64()));
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        text.push_str(&format!("{:width$}          {:>7.1} s\n\n", "together", total.as_secs_f64()));
        let (closing, others): (Vec<&Step>, Vec<&Step>) = self.done.iter().partition(|step| step.name == last);
        for step in others {
            for line in &step.summary {
                text.push_str(&format!("{}: {line}\n", step.name));
            }
        }
        // Unprefixed, as the runner prints them: tools that read the end of a log look for exactly these lines.
        for line in closing.iter().flat_map(|step| &step.summary) {
            text.push_str(&format!("{line}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_ends_with_the_summary_of_the_last_runner() {
        let mut steps = Steps::new();
        steps.run("unit tests", || Ok(vec!["3 tests run".to_owned()])).unwrap();
        steps.run("drill", || Ok(vec!["1 record".to_owned()])).unwrap();
        let failed = steps.run("fuzz", || Err(Failure::new("crash", "look")));
        assert_eq!(failed, Err(Failure::new("crash", "look")));

        let table = steps.table("unit tests");
        assert!(table.ends_with("drill: 1 record\n3 tests run\n"), "{table}");
        assert!(table.contains("fuzz        FAILED"), "{table}");
    }
}
