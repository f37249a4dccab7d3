// Mutation test of the kit's guards: changes one guard of src/kit at a time in a copy of the sources and runs the tests that belong
// to the file. A mutant that no test notices has survived. What is changed is written in `mutants.mjs`; all mutants of the files with
// the same tests share one build, in which each has a switch (`switched.mjs`).
//
//   npm run mutate -- [--file TEXT]... [--changed] [--jobs N] [--timeout SECONDS] [--shard I/N] [--list] [--json FILE]
//
//   --file TEXT      only files whose path contains TEXT; may be repeated
//   --changed        only files that differ from the last commit
//   --jobs N         mutants at the same time, each in a folder of its own (default 1: a compiler takes about 1 GB)
//   --timeout S      seconds per mutant (default 600); one that takes longer counts as noticed
//   --shard I/N      only every N-th mutant, from the I-th (1 to N)
//   --list           names the mutants and runs nothing
//   --json FILE      writes the summary to FILE as well
//
// Exit code: 0 every mutant was noticed, 1 some survived, 2 it could not be found out. Survivors go to stdout, all else to stderr; the
// order is that of the files, whatever N is. A mutant that changes nothing observable is listed with its reason in
// `mutants-accepted.json`; an entry that matches no mutant is an error.
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bodies, declaredModifiers, mutantsOf } from "./mutants.mjs";
import { carries, switched, switchOf } from "./switched.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const KIT = "src/kit/";
const VECTORS = "test/vectors";
const ACCEPTED = "tools/mutants-accepted.json";

/** Folders under test/kit/ whose tests belong to the sources with a path that starts so; the first match counts. */
const TESTS = [
  ["adapters/", ["adapters"]],
  ["controller/", ["FailSafeController"]],
  ["exit/AttestedLedger", ["LedgerCheckpoint"]],
  ["exit/CommittedState", ["LedgerCheckpoint"]],
  ["exit/LedgerCheckpoint", ["LedgerCheckpoint"]],
  ["exit/MerkleSum", ["LedgerCheckpoint"]],
  ["exit/Rlp", ["LedgerCheckpoint"]],
  ["exit/StateProof", ["LedgerCheckpoint"]],
  ["exit/", ["EmergencyExit"]],
  ["loss/", ["LossWaterfall"]],
  ["recovery/", ["RecoveryPlan"]],
  ["rollback/", ["rollback"]],
  ["BoundedCall", ["RecoveryPlan", "rollback"]],
  ["FailSafeController", ["FailSafeController"]],
  ["FlowCounters", ["FailSafe", "EmergencyExit"]],
  ["Flow", ["FlowLimiter"]],
  ["Limited", ["FlowLimiter"]],
  ["SafeToken", ["EmergencyExit", "LossWaterfall"]],
  ["", ["FailSafe"]],
];

/** Every forge that runs now. */
const running = new Set();

class Unusable extends Error {}

function usage() {
  const source = readFileSync(fileURLToPath(import.meta.url), "utf8");
  return source.split("\n").filter((line) => line.startsWith("//   ")).map((line) => line.slice(5)).join("\n");
}

function options() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        file: { type: "string", multiple: true, default: [] },
        changed: { type: "boolean", default: false },
        jobs: { type: "string", default: "1" },
        timeout: { type: "string", default: "600" },
        shard: { type: "string", default: "1/1" },
        list: { type: "boolean", default: false },
        json: { type: "string" },
      },
    }));
  } catch (error) {
    throw new Unusable(`${error.message}\n${usage()}`);
  }
  const [shard, shards] = values.shard.split("/").map(Number);
  const [jobs, timeout] = [Number(values.jobs), Number(values.timeout)];
  const positive = [jobs, timeout, shard, shards].every((number) => Number.isInteger(number) && number > 0);
  if (!positive || shard > shards) throw new Unusable(`numbers have to be whole and above zero\n${usage()}`);
  return { ...values, jobs, timeout, shard, shards };
}

function solidityUnder(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    return entry.isDirectory() ? solidityUnder(path) : path.endsWith(".sol") ? [path] : [];
  });
}

function changedFiles() {
  const git = (...args) => execFileSync("git", ["-C", root, ...args], { encoding: "utf8" }).split("\n").filter(Boolean);
  const tracked = git("diff", "--name-only", "--relative", "HEAD", "--", KIT);
  return new Set([...tracked, ...git("ls-files", "--others", "--exclude-standard", "--", KIT)]);
}

/** Every source as it is now: a change during the run does not reach it. */
function snapshot() {
  const paths = [...solidityUnder("src"), ...solidityUnder("test")].sort();
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

/** All mutants of the files that were asked for. */
function plan(all, { file, changed, shard, shards }) {
  const sources = new Map([...all].filter(([path]) => path.startsWith(KIT)));
  const modifiers = [...sources.values()].flatMap(declaredModifiers);
  const only = changed ? changedFiles() : undefined;
  const wanted = [...sources.keys()].filter(
    (path) => (file.length === 0 || file.some((text) => path.includes(text))) && (only?.has(path) ?? true),
  );
  const mutants = wanted.flatMap((path) =>
    mutantsOf(sources.get(path), modifiers).map((mutant) => ({ file: path, ...mutant })),
  );
  const accepted = acceptances(mutants, wanted, sources);
  const toRun = mutants.filter((mutant) => !accepted.has(mutant)).filter((_, i) => i % shards === shard - 1);
  return { mutants: toRun, accepted: accepted.size };
}

/** Mutants that are listed as equivalent: by file, text of the line, and what becomes of what. */
function acceptances(mutants, wanted, sources) {
  const entries = existsSync(join(root, ACCEPTED)) ? JSON.parse(readFileSync(join(root, ACCEPTED), "utf8")) : [];
  const accepted = new Set();
  for (const { file, line, from, to, reason } of entries) {
    if (!wanted.includes(file) && sources.has(file)) continue;
    const matching = mutants.filter(
      (mutant) =>
        mutant.file === file &&
        mutant.to === to &&
        flat(mutant.from) === from &&
        sources.get(file).split("\n")[mutant.line - 1].trim() === line,
    );
    if (matching.length === 0) throw new Unusable(`${ACCEPTED}: no mutant of ${file} turns "${from}" into "${to}" in: ${line}`);
    if (!reason) throw new Unusable(`${ACCEPTED}: an entry of ${file} has no reason`);
    for (const mutant of matching) accepted.add(mutant);
  }
  return accepted;
}

function flat(text) {
  return text.replace(/\s+/g, " ");
}

function testFolders(file) {
  const inKit = file.slice(KIT.length);
  return TESTS.find(([prefix]) => inKit.startsWith(prefix))[1].map((folder) => `test/kit/${folder}`);
}

/** The test files of some folders and everything that they import, however far away. */
function closure(sources, folders) {
  const within = (folder) => [...sources.keys()].filter((path) => path.startsWith(`${folder}/`));
  const missing = folders.filter((folder) => !within(folder).some((path) => path.endsWith(".t.sol")));
  if (missing.length > 0) throw new Unusable(`no tests in ${missing.join(", ")}: the map in tools/mutate.mjs is not right`);
  const files = new Set();
  const queue = folders.flatMap(within);
  while (queue.length > 0) {
    const file = queue.pop();
    if (files.has(file)) continue;
    files.add(file);
    const source = sources.get(file);
    if (source === undefined) throw new Unusable(`${file} is imported and does not exist`);
    for (const [, path] of source.matchAll(/^import\b[^;]*?"(\.[^"]+)";/gm)) {
      queue.push(posix.join(posix.dirname(file), path));
    }
  }
  return files;
}

/** A folder of its own in which one job builds and tests. */
class Workshop {
  constructor(folder, sources, timeout) {
    this.folder = folder;
    this.sources = sources;
    this.timeout = timeout;
    mkdirSync(folder, { recursive: true });
    for (const name of ["node_modules", "tools"]) symlinkSync(join(root, name), join(folder, name));
    for (const name of ["foundry.toml", "package.json"]) copyFileSync(join(root, name), join(folder, name));
    // What tests read besides sources; a link would lead out of the folder that forge lets them read.
    cpSync(join(root, VECTORS), join(folder, VECTORS), { recursive: true });
  }

  /** Lays the sources out for tests of `folders`, as `write(path, source)` puts them. */
  lay(folders, write) {
    for (const path of this.files ?? []) rmSync(join(this.folder, path), { force: true });
    this.files = closure(this.sources, folders);
    for (const path of this.files) {
      mkdirSync(dirname(join(this.folder, path)), { recursive: true });
      writeFileSync(join(this.folder, path), write(path, this.sources.get(path)));
    }
  }

  /**
   * Builds the sources for tests of `folders` with a switch for each of the `numbered` mutants, and returns those that have one. What
   * the compiler refuses, for its types or its stack, loses the switches of that function.
   */
  async buildSwitched(folders, numbered) {
    let open = numbered;
    for (;;) {
      let texts = "";
      this.lay(folders, (path, source) => {
        const own = open.filter(({ mutant }) => mutant.file === path);
        const text = switched(source, own, open);
        texts += text;
        return text;
      });
      const carried = carries(texts);
      open = open.filter(({ number }) => carried.has(number));
      const output = await this.passes();
      if (output === undefined) return open;
      const refused = new Set([...output.matchAll(/--> (src\S+?):(\d+):\d+/g)].flatMap(([, path, line]) => this.around(path, line)));
      const left = open.filter(({ number }) => !refused.has(number));
      // Nothing to blame: the switches are at odds with a package or a test, so each mutant is built alone.
      if (left.length === open.length) return [];
      open = left;
    }
  }

  /** Numbers of the mutants whose switches are in the function with a line of a file. */
  around(path, line) {
    const text = readFileSync(join(this.folder, path), "utf8");
    const at = text.split("\n").slice(0, line - 1).join("\n").length + 1;
    const part = bodies(text).find(([start, end]) => start <= at && at <= end) ?? [at, text.indexOf("\n", at)];
    return [...carries(text.slice(...part))];
  }

  /** Lays the sources out as they are, for mutants that are built one at a time. */
  async buildPlain(folders) {
    this.lay(folders, (_, source) => source);
    const output = await this.passes();
    if (output !== undefined) throw new Unusable(`the tests in ${folders.join(", ")} do not pass as they are\n${output}`);
  }

  /** Undefined if the tests pass with no mutant in force, else what forge said. */
  async passes() {
    // Without the optimizer a build costs half as much. Tests that need its gas figures or its stack get it.
    let said;
    for (this.optimizer of ["false", "true"]) {
      const [status, output] = await this.verdict();
      if (status === "survived") return undefined;
      said = output;
    }
    return said;
  }

  /** The verdict on a mutant that has a switch. */
  async turn(number) {
    const [status] = await this.verdict(switchOf(number));
    return status;
  }

  /** The verdict on a mutant that is built alone. */
  async alone(mutant) {
    const path = join(this.folder, mutant.file);
    const source = this.sources.get(mutant.file);
    writeFileSync(path, source.slice(0, mutant.start) + mutant.to + source.slice(mutant.end));
    const [status] = await this.verdict();
    writeFileSync(path, source);
    return status;
  }

  /** With `coinbase`, of what was built last. */
  async verdict(coinbase) {
    const until = Date.now() + this.timeout * 1000;
    if (coinbase === undefined) {
      const built = await this.forge(["build"], until);
      if (built.timedOut) return ["timed out", built.output];
      if (built.code !== 0) return ["invalid", built.output];
    }
    // Most mutants fall to a unit test; fuzzing takes longer, and the invariants ten times as long: they are for the rest.
    for (const tests of [["--match-test", "^test_"], ["--no-match-test", "^(test_|invariant)"], ["--match-test", "^invariant"]]) {
      const tested = await this.forge(["test", "--fail-fast", ...tests], until, coinbase);
      if (tested.timedOut) return ["timed out", tested.output];
      if (tested.code !== 0) return ["killed", tested.output];
    }
    return ["survived", ""];
  }

  forge(args, until, coinbase) {
    return new Promise((done, fail) => {
      const env = { ...process.env, FOUNDRY_OPTIMIZER: this.optimizer, FOUNDRY_LINT_ON_BUILD: "false" };
      if (coinbase !== undefined) env.FOUNDRY_BLOCK_COINBASE = coinbase;
      const child = spawn(join(root, "node_modules/.bin/forge"), args, { cwd: this.folder, env, detached: true });
      running.add(child);
      let output = "";
      let timedOut = false;
      const keep = (chunk) => (output = (output + chunk).slice(-8000));
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      const timer = setTimeout(() => {
        timedOut = true;
        end(child);
      }, Math.max(0, until - Date.now()));
      child.on("error", fail);
      child.on("close", (code) => {
        clearTimeout(timer);
        running.delete(child);
        done({ code, output, timedOut });
      });
    });
  }
}

/** Ends a forge with the compilers that it started: they are a process group of their own. */
function end(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

async function runAll(sources, mutants, { jobs, timeout }) {
  const folder = mkdtempSync(join(tmpdir(), "kit-mutants-"));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      for (const child of running) end(child);
      rmSync(folder, { recursive: true, force: true });
      process.exit(2);
    });
  }
  const statuses = new Array(mutants.length);
  let finished = 0;
  const note = ({ mutant, number }, status) => {
    statuses[number] = status;
    console.error(`${++finished}/${mutants.length} ${status}: ${describe(mutant)}`);
  };
  const workshops = Array.from({ length: jobs }, (_, number) => new Workshop(join(folder, String(number)), sources, timeout));
  try {
    for (const { folders, numbered } of groups(mutants)) {
      await runGroup(workshops.slice(0, numbered.length), sources, folders, numbered, note);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return mutants.map((mutant, i) => ({ ...mutant, status: statuses[i] }));
}

/** Mutants, numbered as they stand, by the folders whose tests belong to them. */
function groups(mutants) {
  const byFolders = new Map();
  mutants.forEach((mutant, number) => {
    const folders = testFolders(mutant.file);
    const group = byFolders.get(folders.join()) ?? { folders, numbered: [] };
    group.numbered.push({ mutant, number });
    byFolders.set(folders.join(), group);
  });
  return byFolders.values();
}

/** Most mutants share one build; what cannot be switched is built by itself. */
async function runGroup(workshops, sources, folders, numbered, note) {
  const files = closure(sources, folders);
  const reached = numbered.filter((one) => {
    if (files.has(one.mutant.file)) return true;
    note(one, "survived"); // no test of the folders so much as imports the file
    return false;
  });
  const together = async (queue, task) => {
    const waiting = [...queue];
    const job = async (workshop) => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) note(one, await task(workshop, one));
    };
    const stop = (error) => {
      waiting.length = 0; // the other jobs end with the mutant that they have
      throw error;
    };
    const ends = await Promise.allSettled(workshops.map((workshop) => job(workshop).catch(stop)));
    const failed = ends.find(({ status }) => status === "rejected");
    if (failed !== undefined) throw failed.reason;
  };
  const open = (await Promise.all(workshops.map((workshop) => workshop.buildSwitched(folders, reached))))[0];
  await together(open, (workshop, { number }) => workshop.turn(number));
  const closed = reached.filter((one) => !open.includes(one));
  if (closed.length === 0) return;
  console.error(`${closed.length} mutants of ${folders.join(", ")} are built alone`);
  await Promise.all(workshops.map((workshop) => workshop.buildPlain(folders)));
  await together(closed, (workshop, { mutant }) => workshop.alone(mutant));
}

function describe({ file, line, column, kind, from, to }) {
  return `${file}:${line}:${column} ${kind}: ${flat(from)} -> ${flat(to) || "(nothing)"}`;
}

function summary(results, accepted) {
  const count = (status) => results.filter((result) => result.status === status).length;
  return {
    total: results.length,
    killed: count("killed"),
    timedOut: count("timed out"),
    invalid: count("invalid"),
    survived: count("survived"),
    accepted,
    mutants: results.map(({ file, line, column, kind, from, to, status }) => ({
      file,
      line,
      column,
      kind,
      from: flat(from),
      to: flat(to),
      status,
    })),
  };
}

async function main() {
  const chosen = options();
  const sources = snapshot();
  const { mutants, accepted } = plan(sources, chosen);
  if (chosen.list) {
    for (const mutant of mutants) console.log(describe(mutant));
    return 0;
  }
  const report = summary(await runAll(sources, mutants, chosen), accepted);
  if (chosen.json !== undefined) writeFileSync(chosen.json, `${JSON.stringify(report, null, 2)}\n`);
  for (const mutant of report.mutants) {
    if (mutant.status === "survived") console.log(`survived ${describe(mutant)}`);
  }
  const { total, killed, timedOut, invalid, survived } = report;
  console.error(
    `${total} mutants: ${killed} killed, ${timedOut} timed out, ${invalid} do not compile, ${survived} survived; ${accepted} accepted`,
  );
  if (survived > 0) {
    console.error(`help: write the test that notices it, or say in ${ACCEPTED} why nothing can`);
    return 1;
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Unusable)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
