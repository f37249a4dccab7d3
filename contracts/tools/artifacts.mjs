// Writes artifacts/<Contract>.json from forge's out/, one file per deployable contract under src/.
// `--check` writes nothing: it names each file that differs from a fresh build and exits 1.
// The output depends on the sources and the compiler only: no paths, no AST ids, keys in a fixed order.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = join(root, "out");
const artifacts = join(root, "artifacts");

const LIBRARY = /^0x73[0-9a-f]{40}3014/;

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** Label, slot, byte offset and readable type of each variable; the compiler's own type keys carry AST ids. */
function storage(layout) {
  return layout.storage.map(({ label, slot, offset, type }) => ({
    label,
    slot: Number(slot),
    offset,
    type: layout.types[type].label,
  }));
}

/** The deployable contracts of one `out/<File>.sol` folder whose source lies under src/. */
function* contracts(folder) {
  for (const file of readdirSync(join(out, folder)).sort()) {
    if (!file.endsWith(".json")) continue;
    const built = JSON.parse(readFileSync(join(out, folder, file), "utf8"));
    const source = Object.keys(built.metadata?.settings?.compilationTarget ?? {})[0] ?? "";
    if (!source.startsWith("src/") || source.startsWith("src/proofs/") || built.bytecode.object === "0x") continue;
    // A library of internal functions is compiled into its users; alone it is only the guard that libraries begin with.
    if (LIBRARY.test(built.deployedBytecode.object)) continue;
    const contractName = file.slice(0, -".json".length);
    yield [
      `${contractName}.json`,
      {
        contractName,
        abi: sorted(built.abi),
        bytecode: built.bytecode.object,
        deployedBytecode: built.deployedBytecode.object,
        methodIdentifiers: sorted(built.methodIdentifiers),
        storageLayout: storage(built.storageLayout),
      },
    ];
  }
}

function fresh() {
  const files = new Map();
  for (const folder of readdirSync(out).sort()) {
    if (!folder.endsWith(".sol")) continue;
    for (const [name, artifact] of contracts(folder)) {
      if (files.has(name)) throw new Error(`two contracts under src/ would both be ${name}`);
      files.set(name, `${JSON.stringify(artifact, null, 2)}\n`);
    }
  }
  if (files.size === 0) throw new Error("out/ holds no contract of src/: run `npx forge build` first");
  return files;
}

function differing(files) {
  const committed = existsSync(artifacts) ? readdirSync(artifacts).filter((name) => name.endsWith(".json")) : [];
  const names = new Set([...files.keys(), ...committed]);
  return [...names].sort().filter((name) => {
    const path = join(artifacts, name);
    return !files.has(name) || !existsSync(path) || readFileSync(path, "utf8") !== files.get(name);
  });
}

const files = fresh();
const changed = differing(files);
if (process.argv.includes("--check")) {
  for (const name of changed) console.error(`artifacts/${name} differs from a fresh build`);
  if (changed.length > 0) {
    console.error("help: run `npm run artifacts` and commit the result");
    process.exit(1);
  }
} else {
  mkdirSync(artifacts, { recursive: true });
  for (const name of changed) {
    if (files.has(name)) writeFileSync(join(artifacts, name), files.get(name));
    else rmSync(join(artifacts, name));
  }
}
