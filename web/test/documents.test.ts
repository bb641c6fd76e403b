/** The AsyncAPI document, as its makers' own parser sees it. */
import { createRequire } from "node:module";
import { expect, inject, test } from "vitest";

// as CommonJS: its other build imports files without saying their whole names, which Node does not take
const { Parser } = createRequire(import.meta.url)("@asyncapi/parser") as typeof import("@asyncapi/parser");
const TELLS_OF_NEWER_VERSIONS = "asyncapi-latest-version";

async function diagnose(document: unknown): Promise<string[]> {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document));
  return diagnostics
    .filter(({ code }) => code !== TELLS_OF_NEWER_VERSIONS)
    .map(({ code, message, path }) => `${code} ${path.join(".")}: ${message}`);
}

test("the document is valid, and the parser sees when one is not", async () => {
  const answer = await fetch(`${inject("hub").url}/asyncapi.json`);
  const document = await answer.json() as { operations: { subscribe: { action: string } } };
  expect(await diagnose(document)).toEqual([]);
  document.operations.subscribe.action = "shout";
  expect(await diagnose(document)).not.toEqual([]);
});
