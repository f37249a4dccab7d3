// What `snippets.mjs` finds, and that the guide quotes what is there. Run by `node --test tools/`.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { faults, quotations } from "./snippets.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

function read(path) {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}

/** Faults of a document with one quotation of a file that holds `source`. */
function check(quoted, source) {
  const markdown = `Text.\n\n\`\`\`solidity a.sol\n${quoted}\`\`\`\n\n\`\`\`sh\nls\n\`\`\`\n`;
  return faults(markdown, (path) => (path === "a.sol" ? source : undefined));
}

test("a quotation is found whole, with its indentation, or it is a fault", () => {
  const source = "contract A {\n    uint256 a;\n    uint256 b;\n}\n";
  assert.deepEqual(check("    uint256 a;\n    uint256 b;\n", source), []);
  const changed = ['a.sol does not hold the block that begins "uint256 a;"'];
  assert.deepEqual(check("    uint256 a;\n    uint256 c;\n", source), changed);
  assert.deepEqual(check("  uint256 a;\n", source), changed);
  assert.deepEqual(check("    uint256 a;\n    // ...\n    uint256 b;\n", source), changed);
});

test("a block without a file, or with one that is not there, is a fault", () => {
  assert.deepEqual(check("x\n", undefined), ["a.sol is quoted and does not exist"]);
  assert.deepEqual(faults("```solidity\nx;\n```\n", () => "x;\n"), ['the block that begins "x;" names no file']);
  assert.deepEqual(faults("```sh\nx\n```\n", () => undefined), []);
});

test("the integrator's guide quotes each example as it is", () => {
  const guide = readFileSync(join(root, "../docs/integrating.md"), "utf8");
  assert.deepEqual(faults(guide, read), []);
  const quoted = new Set(quotations(guide).map(({ path }) => path));
  assert.deepEqual([...quoted].sort(), [
    "examples/CreditMarket.sol",
    "examples/PerpetualVenue.sol",
    "examples/ShareVault.sol",
  ]);
});
