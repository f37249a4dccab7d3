// Checks that the Solidity which a document quotes is found, letter by letter, in the file that it names.
// A quotation is a fenced block whose first line is "```solidity PATH", PATH relative to contracts/.

const FENCE = /^```(\S*)[ ]*(.*)\n([\s\S]*?)^```$/gm;

/** Every fenced block of Solidity: the file that it names ("" for none) and its text. */
export function quotations(markdown) {
  return [...markdown.matchAll(FENCE)]
    .filter(([, language]) => language === "solidity")
    .map(([, , path, text]) => ({ path: path.trim(), text }));
}

/** What is wrong with the quotations of a document, one sentence each. `read` answers undefined for a file that is not there. */
export function faults(markdown, read) {
  return quotations(markdown).flatMap(({ path, text }) => {
    const first = text.split("\n", 1)[0].trim();
    if (path === "") return [`the block that begins "${first}" names no file`];
    const source = read(path);
    if (source === undefined) return [`${path} is quoted and does not exist`];
    // From the start of a line to the end of one.
    return `\n${source}`.includes(`\n${text}`) ? [] : [`${path} does not hold the block that begins "${first}"`];
  });
}
