// Writes many mutants into one source, each behind a switch, so that one build serves all of them: compiling costs a minute, a test
// run a few seconds. The mutant with number n is in force when the block's coinbase is `switchOf(n)`, which forge takes from its
// environment and neither kit nor tests look at; at any other coinbase the source does what it did.
// A function that reads the coinbase is not pure: `seen` turns `pure` into `view`, which every importing source needs too.
import { blanked, closing } from "./mutants.mjs";

const FIRST = 0xc0ffee00000000n;

/** Address of the coinbase that puts mutant `number` in force. */
export function switchOf(number) {
  return `0x${(FIRST + BigInt(number)).toString(16).padStart(40, "0")}`;
}

const on = (number) => `block.coinbase == address(uint160(${switchOf(number).replace(/^0x0+/, "0x")}))`;

/** The same source without a pure function. */
export function seen(source) {
  const code = blanked(source);
  return source.replace(/\bpure\b/g, (word, index) => (code.startsWith(word, index) ? "view" : word));
}

/** `source` with every declared modifier that `numbered` mutants remove once more for each, switched off by it. */
function declarations(source, code, numbered) {
  return [...code.matchAll(/\bmodifier\s+(\w+)([^{]*)\{/g)].map((match) => {
    const open = match.index + match[0].length - 1;
    const end = closing(code, open) + 1;
    const [, name, rest] = match;
    const parameters = /^\s*\(/.test(rest) ? rest.slice(0, closing(rest, rest.indexOf("(")) + 1) : "";
    const wrap = (render) => {
      const body = render(open, end);
      const copies = numbered
        .filter(({ mutant }) => mutant.kind === "modifier" && nameOf(mutant) === name)
        .map(({ number }) => `modifier ${name}_mutant${number}${parameters} { if (${on(number)}) { _; } else ${body} }`);
      return [source.slice(match.index, open) + body, ...copies].join("\n");
    };
    return { start: match.index, end, rank: 0, wrap };
  });
}

function nameOf({ from }) {
  return from.match(/^\w+/)[0];
}

/** What stands for one mutant: the range that is written anew, and how; undefined when it cannot be switched. */
function edit(source, code, { mutant, number }) {
  const { start, end, to, from, kind } = mutant;
  if (kind === "modifier") {
    return { start, end, rank: 3, wrap: () => `${nameOf(mutant)}_mutant${number}${from.slice(nameOf(mutant).length)}` };
  }
  if (kind === "call") return { start, end, rank: 1, wrap: (render) => `if (!(${on(number)})) { ${render(start, end)} }` };
  if (to === "true") return { start, end, rank: 1, wrap: (render) => `(${on(number)} || (${render(start, end)}))` };
  if (to === "false") return { start, end, rank: 1, wrap: (render) => `(!(${on(number)}) && (${render(start, end)}))` };
  if (/^_?(min|max)$/.test(to)) {
    const close = closing(code, end) + 1;
    const prefix = code.slice(0, start).match(/(?:\w+\.)*$/)[0];
    const wrap = (render) => {
      const rest = render(end, close);
      return `(${on(number)} ? ${prefix}${to}${rest} : ${prefix}${from}${rest})`;
    };
    return { start: start - prefix.length, end: close, rank: 2, wrap };
  }
  if (/^[<>=!]=?$/.test(to)) {
    const [left, right] = [startOfOperand(code, start, to), endOfOperand(code, end, to)];
    const wrap = (render) => {
      const [a, b] = [render(left, start), render(end, right)];
      return `(${on(number)} ? ${a}${to}${b} : ${a}${from}${b})`;
    };
    return { start: left, end: right, rank: 2, wrap };
  }
  return undefined;
}

/** What binds looser than the comparison `operator`, or ends it. */
const LOOSER = /^(?:&&|\|\||==|!=|[,;?:{}]|=|return\b)/;
const LOOSER_THAN_EQUAL = /^(?:&&|\|\||[,;?:{}]|=(?!=)|return\b)/;

function startOfOperand(code, index, operator) {
  const looser = /^[=!]=/.test(operator) ? LOOSER_THAN_EQUAL : LOOSER;
  let depth = 0;
  for (let i = index - 1; i >= 0; i--) {
    if (code[i] === ")" || code[i] === "]") depth++;
    else if (code[i] === "(" || code[i] === "[") {
      if (depth === 0) return skipSpace(code, i + 1);
      depth--;
    } else if (depth === 0) {
      const match = code.slice(i, i + 7).match(looser);
      if (match !== null && !(match[0] === "=" && /[<>=!]/.test(code[i - 1]))) return skipSpace(code, i + match[0].length);
    }
  }
  return 0;
}

function endOfOperand(code, index, operator) {
  const looser = /^[=!]=/.test(operator) ? LOOSER_THAN_EQUAL : LOOSER;
  let depth = 0;
  for (let i = index; i < code.length; i++) {
    if (code[i] === "(" || code[i] === "[") depth++;
    else if (code[i] === ")" || code[i] === "]") {
      if (depth === 0) return withoutSpace(code, i);
      depth--;
    } else if (depth === 0 && looser.test(code.slice(i, i + 7))) return withoutSpace(code, i);
  }
  return code.length;
}

function skipSpace(code, i) {
  while (/\s/.test(code[i])) i++;
  return i;
}

function withoutSpace(code, i) {
  while (/\s/.test(code[i - 1])) i--;
  return i;
}

/**
 * `source` with a switch for each of its `own` numbered mutants, and with what those of other sources need of the modifiers that it
 * declares. A mutant without a switch is not in the text: `carries` tells.
 */
export function switched(source, own, all) {
  const code = blanked(source);
  const edits = [...declarations(source, code, all), ...own.map((one) => edit(source, code, one)).filter(Boolean)];
  edits.sort((a, b) => a.start - b.start || b.end - a.end || a.rank - b.rank);
  const render = (start, end, inside) => {
    let text = "";
    let at = start;
    for (const change of inside) {
      if (change.start < at) continue; // within the one before
      const nested = inside.filter((other) => other !== change && change.start <= other.start && other.end <= change.end);
      const within = (a, b) => render(a, b, nested.filter((other) => a <= other.start && other.end <= b));
      text += source.slice(at, change.start) + change.wrap(within);
      at = change.end;
    }
    return text + source.slice(at, end);
  };
  return seen(render(0, source.length, edits));
}

/** Numbers of the mutants whose switch is in a text. */
export function carries(text) {
  const numbers = [...text.matchAll(/0x(c0ffee[0-9a-f]{8})\b/g)].map((match) => Number(BigInt(`0x${match[1]}`) - FIRST));
  return new Set([...numbers, ...[...text.matchAll(/\b\w+_mutant(\d+)\b/g)].map((match) => Number(match[1]))]);
}
