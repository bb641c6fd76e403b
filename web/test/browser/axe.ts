/** What keeps people out of a page. */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";

const axe = await readFile(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** What axe-core finds that keeps people out, as `rule: element`. */
export async function violations(page: Page): Promise<string[]> {
  type Found = { id: string; impact: string; nodes: { target: unknown[]; failureSummary: string }[] }[];
  await page.evaluate(axe);
  const found = (await page.evaluate("axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations)")) as Found;
  return found
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`));
}

/** By how much what is shown is wider than the screen. */
export const tooWide = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
