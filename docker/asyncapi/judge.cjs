// Judges the document that its argument names: see `validate`, which calls this.
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

// Of the newest version of AsyncAPI being another one we know.
const KNOWN = new Set(["asyncapi-latest-version"]);

async function main(source) {
  const text = readFileSync(source, "utf8");
  const { document, diagnostics } = await new Parser().parse(text, { source });
  const wrong = diagnostics.filter((one) => !KNOWN.has(one.code));
  for (const one of wrong) {
    console.error(`${one.path.join(".")}: ${one.message}`);
  }
  if (wrong.length > 0 || document === undefined) {
    process.exit(1);
  }
  const [channels, messages] = [document.channels(), document.allMessages()];
  console.log(`${channels.length} channels and ${messages.length} messages are as they should be`);
}

main(process.argv[2]);
