// What `switched.mjs` writes. Run by `node --test tools/`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { mutantsOf } from "./mutants.mjs";
import { carries, seen, switched, switchOf } from "./switched.mjs";

/** The body with its mutants behind switches, where `#n` stands for "mutant n is in force". */
function check(body, expected, { header = "external", modifiers = [], rest = "" } = {}) {
  const wrap = (text) => `contract C {\n${rest}    function f(uint256 a, uint256 b) ${text}`;
  const source = wrap(`${header} {\n${body}\n}\n}\n`);
  const own = mutantsOf(source, modifiers).map((mutant, number) => ({ mutant, number }));
  const text = switched(source, own, own);
  assert.deepEqual([...carries(text)].sort(), own.map(({ number }) => number).sort());
  const shown = text.replace(/block\.coinbase == address\(uint160\(0xc0ffee0*([0-9a-f]+?)\)\)/g, (_, hex) => `#${parseInt(hex, 16)}`);
  assert.equal(shown.slice(shown.indexOf("function f")), `function f(uint256 a, uint256 b) ${expected}\n}\n`);
}

test("a guard and its boundary are nested, the guard outside", () => {
  check("if (a < b) revert Low();", "external {\nif ((!(#0) && ((#1 ? a <= b : a < b)))) revert Low();\n}");
  check("require(a + 1 > g(b), Low());", "external {\nrequire((#0 || ((#1 ? a + 1 >= g(b) : a + 1 > g(b)))), Low());\n}");
});

test("each operand has its switch", () => {
  check(
    "if (a == 0 || ok && b != 0) revert Bad();",
    "external {\nif ((!(#1) && ((!(#0) && (a == 0)) || (!(#3) && ((#2 || (ok)) && (#4 || (b != 0))))))) revert Bad();\n}",
  );
});

test("a call and a clamp happen or not", () => {
  check("_requireCouncil();", "external {\nif (!(#0)) { _requireCouncil(); }\n}");
  check("return Math.min(a, g(b));", "external {\nreturn (#0 ? Math.max(a, g(b)) : Math.min(a, g(b)));\n}");
  check("return a < b ? a : b;", "external {\nreturn (!(#0) && ((#1 || (a < b)))) ? a : b;\n}");
});

test("a predicate's equality is turned round", () => {
  check("return a == b;", "external view returns (bool) {\nreturn (#0 ? a != b : a == b);\n}", {
    header: "external pure returns (bool)",
  });
});

test("a modifier has a copy for each function that loses it", () => {
  const rest = "    modifier only(address who) virtual {\n        if (g(who)) revert Bad();\n        _;\n    }\n";
  check("g(a);", "external only_mutant1(owner) {\ng(a);\n}", { header: "external only(owner)", modifiers: ["only"], rest });
  const source = `contract C {\n${rest}    function f() external only(owner) {}\n}\n`;
  const own = mutantsOf(source, ["only"]).map((mutant, number) => ({ mutant, number }));
  assert.match(switched(source, own, own), /modifier only_mutant1\(address who\) \{ if \(block\.coinbase == [^{]*\{ _; \} else \{/);
});

test("nothing is pure but words in comments and strings", () => {
  assert.equal(seen('function f() pure { g("pure"); } // pure'), 'function f() view { g("pure"); } // pure');
});

test("a switch is an address that forge can set as the coinbase", () => {
  assert.equal(switchOf(258), "0x00000000000000000000000000c0ffee00000102");
});
