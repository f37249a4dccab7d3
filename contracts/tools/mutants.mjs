// Finds the guard conditions of a Solidity source and what each could wrongly be.
// A mutant is {start, end, to, kind}: the source with [start, end) replaced by `to`. Kinds:
//   guard     `if (c) revert` never reverts, `require(c)` never fails
//   operand   one operand of `||` in a guard never holds, one of `&&` always does
//   boundary  a `<`, `<=`, `>` or `>=` of a guard is off by one
//   modifier  a function has lost a modifier of the kit
//   call      a function has lost its call of a function that only checks (`_require...`)
//   predicate the same in what a boolean function returns; and an `==` that is all of it is `!=`
//   clamp     a minimum or maximum always takes the same side, or the other one
// The scanner knows brackets, comments, strings and assembly blocks, and no more of the language: sources are formatted by
// `forge fmt`, and what it cannot read makes no mutant. `tools/mutants.test.mjs` says what is found.

/** Source of the same length in which comments, strings and assembly are blank. */
export function blanked(source) {
  const blank = (text) => text.replace(/[^\n]/g, " ");
  const code = source.replace(/\/\/[^\n]*|\/\*[^]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, blank);
  let out = code;
  for (const match of code.matchAll(/\bassembly\b[^{;]*\{/g)) {
    const open = match.index + match[0].length - 1;
    const close = closing(code, open);
    out = out.slice(0, open) + blank(out.slice(open, close + 1)) + out.slice(close + 1);
  }
  return out;
}

const PAIRS = { "(": ")", "[": "]", "{": "}" };

/** Index of the bracket that closes the one at `open`. */
export function closing(code, open) {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (PAIRS[code[i]] !== undefined) depth++;
    else if (code[i] === ")" || code[i] === "]" || code[i] === "}") {
      depth--;
      if (depth === 0) return i;
    }
  }
  throw new Error(`bracket at ${open} is never closed`);
}

/** Calls `visit(index, token)` for each operator token of code[start, end) with its bracket depth. */
function* operators(code, start, end) {
  let depth = 0;
  const token = /<<=|>>=|<<|>>|<=|>=|==|!=|=>|&&|\|\||[<>?:()[\]{}]/g;
  token.lastIndex = start;
  for (let match = token.exec(code); match !== null && match.index < end; match = token.exec(code)) {
    const text = match[0];
    if (PAIRS[text] !== undefined) depth++;
    else if (text === ")" || text === "]" || text === "}") depth--;
    else yield { index: match.index, text, depth };
  }
}

/** [start, end) without the white space around it. */
function trimmed(code, start, end) {
  while (start < end && /\s/.test(code[start])) start++;
  while (end > start && /\s/.test(code[end - 1])) end--;
  return [start, end];
}

const OFF_BY_ONE = { "<": "<=", "<=": "<", ">": ">=", ">=": ">" };
const OTHER = { "==": "!=", "!=": "==" };

/** Mutants of the operators inside a condition. */
function* condition(code, start, end, kinds) {
  yield* operands(code, start, end, kinds);
  const tokens = [...operators(code, start, end)];
  const compound = tokens.some(({ text }) => text === "&&" || text === "||");
  for (const { index, text } of tokens) {
    const to = OFF_BY_ONE[text] ?? (!compound && kinds === PREDICATE ? OTHER[text] : undefined);
    if (to !== undefined) yield { start: index, end: index + text.length, to, kind: kinds.boundary };
  }
}

/** Each operand of the outermost `||` or `&&`, and of those inside it, made neutral. */
function* operands(code, start, end, kinds) {
  [start, end] = trimmed(code, start, end);
  while (code[start] === "(" && closing(code, start) === end - 1) [start, end] = trimmed(code, start + 1, end - 1);
  const top = [...operators(code, start, end)].filter(({ depth }) => depth === 0);
  const join = ["||", "&&"].find((text) => top.some((token) => token.text === text));
  if (join === undefined || top.some(({ text }) => text === "?")) return;
  const cuts = top.filter(({ text }) => text === join);
  const edges = [start, ...cuts.flatMap(({ index }) => [index, index + 2]), end];
  for (let i = 0; i < edges.length; i += 2) {
    const [from, to] = trimmed(code, edges[i], edges[i + 1]);
    yield { start: from, end: to, to: join === "||" ? "false" : "true", kind: kinds.operand };
    yield* operands(code, from, to, kinds);
  }
}

const GUARD = { operand: "operand", boundary: "boundary" };
const PREDICATE = { operand: "predicate", boundary: "predicate" };

function* guards(code) {
  for (const match of code.matchAll(/\bif\s*\(/g)) {
    const open = match.index + match[0].length - 1;
    const close = closing(code, open);
    if (!/^\s*\{?\s*revert\b/.test(code.slice(close + 1))) continue;
    const [start, end] = trimmed(code, open + 1, close);
    yield { start, end, to: "false", kind: "guard" };
    yield* condition(code, start, end, GUARD);
  }
  for (const match of code.matchAll(/\brequire\s*\(/g)) {
    const open = match.index + match[0].length - 1;
    const close = closing(code, open);
    let comma = close;
    let depth = 0;
    for (let i = open + 1; i < close && comma === close; i++) {
      if (PAIRS[code[i]] !== undefined) depth++;
      else if (code[i] === ")" || code[i] === "]" || code[i] === "}") depth--;
      else if (code[i] === "," && depth === 0) comma = i;
    }
    const [start, end] = trimmed(code, open + 1, comma);
    yield { start, end, to: "true", kind: "guard" };
    yield* condition(code, start, end, GUARD);
  }
}

/** Function headers: [name, start of what follows the parameters, index of `{` or `;`]. */
function* headers(code) {
  for (const match of code.matchAll(/\bfunction\s+(\w+)\s*\(|\bconstructor\s*\(/g)) {
    const after = closing(code, match.index + match[0].length - 1) + 1;
    const end = after + code.slice(after).search(/[{;]/);
    yield { name: match[1] ?? "constructor", start: after, end };
  }
}

/** [start, end) of each function, from its parameters to the end of its body. */
export function bodies(source) {
  const code = blanked(source);
  return [...headers(code)].filter(({ end }) => code[end] === "{").map(({ start, end }) => [start, closing(code, end) + 1]);
}

function* modifiers(code, known) {
  for (const { start, end } of headers(code)) {
    for (const match of code.slice(start, end).matchAll(/\b\w+\b/g)) {
      if (!known.has(match[0])) continue;
      const from = start + match.index;
      let to = from + match[0].length;
      if (code[to] === "(") to = closing(code, to) + 1;
      yield { start: from, end: to, to: "", kind: "modifier" };
    }
  }
}

function* calls(code) {
  for (const match of code.matchAll(/(?<=[;{}]\s*)(?:\w+\.)?_?(?:require[A-Z]|check[A-Z]|within\b)\w*\s*\(/g)) {
    const end = closing(code, match.index + match[0].length - 1) + 1;
    if (code[end] === ";") yield { start: match.index, end: end + 1, to: "", kind: "call" };
  }
}

function* predicates(code) {
  for (const { start, end } of headers(code)) {
    if (code[end] !== "{" || !/\breturns\s*\(\s*bool\b/.test(code.slice(start, end))) continue;
    const close = closing(code, end);
    for (const match of code.slice(end, close).matchAll(/\breturn\s/g)) {
      const from = end + match.index + match[0].length;
      yield* condition(code, from, code.indexOf(";", from), PREDICATE);
    }
  }
}

const CLAMP_CALL = { min: "max", max: "min", _min: "_max", _max: "_min" };

function* clamps(code) {
  // `a < b ? x : y`, where x and y are what is compared.
  for (const { index } of operators(code, 0, code.length)) {
    if (code[index] !== "?") continue;
    const [start, end] = trimmed(code, startOfExpression(code, index), index);
    const compared = code.slice(start, end).match(/^([^<>=!&|?]+?)\s*(?:<=?|>=?)\s*([^<>=!&|?]+)$/);
    if (compared === null) continue;
    const colon = [...operators(code, index + 1, endOfExpression(code, index))].find(
      ({ text, depth }) => text === ":" && depth === 0,
    );
    if (colon === undefined) continue;
    const sides = [code.slice(index + 1, colon.index), code.slice(colon.index + 1, endOfExpression(code, index))];
    const names = sides.map((side) => side.trim());
    if (!compared.slice(1).some((side) => names.some((name) => mentions(name, side.trim())))) continue;
    for (const to of ["true", "false"]) yield { start, end, to, kind: "clamp" };
  }
  // `if (a > b) a = b;`
  for (const match of code.matchAll(/\bif\s*\(/g)) {
    const open = match.index + match[0].length - 1;
    const close = closing(code, open);
    const body = code.slice(close + 1).match(/^\s*\{?\s*([\w.[\]]+)\s*=[^=]/);
    const [start, end] = trimmed(code, open + 1, close);
    const compared = code.slice(start, end).match(/^([^<>=!&|?]+?)\s*(?:<=?|>=?)\s*([^<>=!&|?]+)$/);
    if (body === null || compared === null) continue;
    if (!compared.slice(1).some((side) => side.trim() === body[1])) continue;
    for (const to of ["true", "false"]) yield { start, end, to, kind: "clamp" };
  }
  for (const match of code.matchAll(/\b(_?min|_?max)\s*\(/g)) {
    if (/\bfunction\s+$/.test(code.slice(0, match.index))) continue;
    yield { start: match.index, end: match.index + match[1].length, to: CLAMP_CALL[match[1]], kind: "clamp" };
  }
}

function mentions(name, side) {
  return name === side || name.replace(/^\w+\((.*)\)$/, "$1") === side;
}

/** Start of the expression that ends before `index`: after the nearest opening bracket, `=`, `,`, `;`, `:` or `return`. */
function startOfExpression(code, index) {
  let depth = 0;
  for (let i = index - 1; i >= 0; i--) {
    const char = code[i];
    if (char === ")" || char === "]") depth++;
    else if (char === "(" || char === "[") {
      if (depth === 0) return i + 1;
      depth--;
    } else if (depth === 0) {
      if (",;:{}?".includes(char)) return i + 1;
      if (char === "=" && !/[<>=!]/.test(code[i - 1]) && code[i + 1] !== "=") return i + 1;
      if (/\breturn\s$/.test(code.slice(Math.max(0, i - 6), i + 1))) return i + 1;
    }
  }
  return 0;
}

function endOfExpression(code, index) {
  let depth = 0;
  for (let i = index; i < code.length; i++) {
    if (PAIRS[code[i]] !== undefined) depth++;
    else if (code[i] === ")" || code[i] === "]" || code[i] === "}") {
      if (depth === 0) return i;
      depth--;
    } else if (depth === 0 && (code[i] === ";" || code[i] === ",")) return i;
  }
  return code.length;
}

/** Names of the modifiers that a source declares. */
export function declaredModifiers(source) {
  return [...blanked(source).matchAll(/\bmodifier\s+(\w+)/g)].map((match) => match[1]);
}

/** Mutants of `source`, in the order of their places; `modifierNames` are those of the whole kit. */
export function mutantsOf(source, modifierNames) {
  const code = blanked(source);
  const found = new Map();
  const known = new Set(modifierNames);
  for (const mutant of [...guards(code), ...modifiers(code, known), ...calls(code), ...predicates(code), ...clamps(code)]) {
    const key = `${mutant.start}:${mutant.end}:${mutant.to}`;
    if (source.slice(mutant.start, mutant.end) !== mutant.to && !found.has(key)) found.set(key, mutant);
  }
  const order = (a, b) => a.start - b.start || a.end - b.end || (a.to < b.to ? -1 : 1);
  return [...found.values()].sort(order).map((mutant) => {
    const before = source.slice(0, mutant.start);
    const line = before.split("\n").length;
    return { ...mutant, line, column: mutant.start - before.lastIndexOf("\n"), from: source.slice(mutant.start, mutant.end) };
  });
}
