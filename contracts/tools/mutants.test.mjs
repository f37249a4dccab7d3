// What `mutants.mjs` finds. Run by `node --test tools/`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blanked, declaredModifiers, mutantsOf } from "./mutants.mjs";

/** Mutants of a function body, as `kind: from -> to`, in the order of their places. */
function check(body, expected, { header = "external", modifiers = [] } = {}) {
  const source = `contract C {\n    function f(uint256 a, uint256 b) ${header} {\n${body}\n    }\n}\n`;
  const found = mutantsOf(source, modifiers).map(({ kind, from, to }) => `${kind}: ${from.replace(/\s+/g, " ")} -> ${to}`);
  assert.deepEqual(found.sort(), [...expected].sort());
}

test("a guard never reverts, and its comparison is off by one", () => {
  check("if (a < b) revert Low(a, b);", ["guard: a < b -> false", "boundary: < -> <="]);
  check("if (a >= b) {\n revert High(a);\n }", ["guard: a >= b -> false", "boundary: >= -> >"]);
  check("require(a > b, Low(a, b));", ["guard: a > b -> true", "boundary: > -> >="]);
});

test("an equality by itself is only removed: turning it round is noticed by every call", () => {
  check("if (a == b) revert Same();", ["guard: a == b -> false"]);
});

test("each operand of a compound guard is made neutral, also of the inner ones", () => {
  check("if (a == 0 || (b != 0 && g(a, b))) revert Bad();", [
    "guard: a == 0 || (b != 0 && g(a, b)) -> false",
    "operand: a == 0 -> false",
    "operand: (b != 0 && g(a, b)) -> false",
    "operand: b != 0 -> true",
    "operand: g(a, b) -> true",
  ]);
});

test("what is no guard makes no mutant", () => {
  check("if (a < b) return;", []);
  check("if (a < b) g(a);", []);
  check("uint256 c = a << 2 >> b; g(c);", []);
  check("for (uint256 i; i < a; ++i) g(i);", []);
});

test("comments, strings and assembly are not read", () => {
  check('// if (a < b) revert X();\n g("if (a < b) revert X();");\n /* require(a < b) */', []);
  check("assembly { if lt(a, b) { revert(0, 0) } }", []);
  const source = 'x = "a\\"b"; // c\n/* d\n */ y;';
  assert.equal(blanked(source).length, source.length);
  assert.equal(blanked(source).trim().replace(/\s+/g, " "), "x = ; y;");
});

test("a function loses each modifier of the kit by itself, with its arguments", () => {
  check("g();", ["modifier: onlyCouncil -> ", "modifier: guarded(ENTER) -> "], {
    header: "external onlyCouncil guarded(ENTER) returns (bool)",
    modifiers: ["onlyCouncil", "guarded"],
  });
  assert.deepEqual(declaredModifiers("modifier only(uint8 a) {\n} // modifier not\n modifier other() {"), ["only", "other"]);
});

test("a call that only checks is left out", () => {
  check("_requireOpen(a);\n bool c = _requireChange(a, b);\n Lib.requireGas(a);", [
    "call: _requireOpen(a); -> ",
    "call: Lib.requireGas(a); -> ",
  ]);
});

test("what a boolean function returns is a guard of somebody", () => {
  check("return a < b && g(a);", ["predicate: a < b -> true", "predicate: g(a) -> true", "predicate: < -> <="], {
    header: "private view returns (bool)",
  });
  check("return a == b;", ["predicate: == -> !="], { header: "private view returns (bool ok)" });
  check("return a < b;", [], { header: "private view returns (uint256)" });
});

test("a clamp takes one side always", () => {
  check("uint256 c = a < b ? a : b; g(c);", ["clamp: a < b -> true", "clamp: a < b -> false"]);
  check("if (a > b) a = b;", ["clamp: a > b -> true", "clamp: a > b -> false"]);
  check("return min(a, b);", ["clamp: min -> max"]);
  check("uint256 c = a < b ? 1 : 2; g(c);", []);
});

test("a mutant knows its place", () => {
  const [mutant] = mutantsOf("contract C {\n  function f() external {\n    if (a == b) revert X();\n  }\n}\n", []);
  assert.deepEqual([mutant.line, mutant.column], [3, 9]);
});
