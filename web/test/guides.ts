/** The code of the guides. */
import { readFile } from "node:fs/promises";

/** A page's code in a language: so many blocks. */
export async function blocks(page: string, language: string, count: number): Promise<string[]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), "utf8");
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code!);
  if (found.length !== count) throw new Error(`${page} has ${found.length} blocks of ${language}, not ${count}`);
  return found;
}

/** JavaScript in which each function that the guide leaves empty tells what it is given, by the name
 * that stands before it. */
export const filled = (code: string): string =>
  code.replace(/^(.*"([\w:-]+)".*?)\((\{[^(){}]*\}|\w+)\) => \{\}/gm, '$1($3) => tell("$2", $3)');
