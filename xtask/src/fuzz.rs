//! Builds and runs the fuzz targets of `fuzz/` on stable Rust.
//!
//! cargo-fuzz asks for a nightly compiler because of its sanitizers. Coverage-guided fuzzing of code without `unsafe` needs
//! none of them: LLVM's coverage pass and libFuzzer suffice, and stable rustc offers the pass through `-Cpasses`.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::process::Program;
use crate::steps::Summary;

/// What cargo-fuzz passes too, without the sanitizer.
const COVERAGE: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    --cfg fuzzing";

/// A target that needs more has a defect: the journal reader and the policy parser bound what they keep.
const RSS_MB_MAX: u32 = 2048;
/// One input may take this long before libFuzzer reports it as a hang.
const INPUT_SECS_MAX: u32 = 10;

/// Runs one target or all of them, each for `secs`.
pub(crate) fn run(root: &Path, secs: u32, target: Option<&str>) -> Result<(), Failure> {
    let summary = targets(root, secs, target)?;
    summary.iter().for_each(|line| eprintln!("{line}"));
    Ok(())
}

/// Like `run`, and returns a line for each target.
pub(crate) fn targets(root: &Path, secs: u32, target: Option<&str>) -> Result<Summary, Failure> {
    let known = names(root)?;
    let chosen: Vec<String> = match target {
        None => known,
        Some(name) if known.iter().any(|other| other == name) => vec![name.to_owned()],
        Some(name) => {
            let help = format!("the targets are: {}", known.join(", "));
            return Err(Failure::new(format!("there is no fuzz target `{name}`"), help));
        }
    };
    cargo(root, &["build", "--bins"]).run()?;
    chosen.iter().map(|name| fuzz(root, name, secs)).collect()
}

/// The targets are the files of `fuzz/fuzz_targets`, in their order by name.
fn names(root: &Path) -> Result<Vec<String>, Failure> {
    let dir = root.join("fuzz/fuzz_targets");
    let files = fs::read_dir(&dir).map_err(|error| Failure::file(&dir, &error))?;
    let mut names = Vec::new();
    for file in files {
        let file = file.map_err(|error| Failure::file(&dir, &error))?.file_name();
        names.extend(file.to_str().and_then(|name| name.strip_suffix(".rs")).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Seeds are read from `fuzz/corpus`; what the fuzzer finds goes beside its build, so that a run leaves the tree clean.
fn fuzz(root: &Path, name: &str, secs: u32) -> Result<String, Failure> {
    let found = format!("fuzz/target/corpus/{name}");
    let crashes = format!("fuzz/target/crashes/{name}/");
    let seeds = format!("fuzz/corpus/{name}");
    for dir in [&found, &crashes, &seeds] {
        let dir = root.join(dir);
        fs::create_dir_all(&dir).map_err(|error| Failure::file(&dir, &error))?;
    }
    let flags = [
        format!("-max_total_time={secs}"),
        format!("-rss_limit_mb={RSS_MB_MAX}"),
        format!("-timeout={INPUT_SECS_MAX}"),
        // Without it libFuzzer does not learn comparisons of one or two bytes, such as a tag or a version.
        "-use_value_profile=1".to_owned(),
        "-print_final_stats=1".to_owned(),
        // No line for every input that reaches something new.
        "-verbosity=0".to_owned(),
        format!("-artifact_prefix={crashes}"),
        found,
        seeds,
    ];
    let words = ["run", "--quiet", "--bin", name, "--"].into_iter().chain(flags.iter().map(String::as_str));
    let words: Vec<&str> = words.collect();
    let executed =
        cargo(root, &words).summaries(|line| line.starts_with("stat::number_of_executed_units")).map_err(|_| {
            let help =
                format!("its input stands in {crashes}; copy it to fuzz/corpus/{name} to run it first from now on");
            Failure::new(format!("the fuzz target {name} found a defect, shown above"), help)
        })?;
    let count = executed.first().and_then(|line| line.split_whitespace().last()).unwrap_or("no");
    Ok(format!("{name}: {count} inputs in {secs} s, no crash"))
}

/// `--target` keeps the coverage flags away from build scripts and procedural macros, which could not be loaded with them.
fn cargo(root: &Path, words: &[&str]) -> Program {
    let (subcommand, rest) = words.split_at(1);
    let place = ["--release", "--target", "host-tuple", "--manifest-path", "fuzz/Cargo.toml"];
    let dir = ["--target-dir", "fuzz/target"];
    let all: Vec<&str> = ["cargo"]
        .into_iter()
        .chain(subcommand.iter().copied())
        .chain(place)
        .chain(dir)
        .chain(rest.iter().copied())
        .collect();
    Program::new(root, &all).env("RUSTFLAGS", COVERAGE)
}
