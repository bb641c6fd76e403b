import { en, type Words } from "./en";
import { es } from "./es";
import { pt } from "./pt";

const LANGUAGES: Record<string, Words> = { en, es, pt };
export type { Words };

/** The words of a language tag; English where there are none of it. */
export const wordsOf = (lang: string): Words => LANGUAGES[lang.toLowerCase().slice(0, 2)] ?? en;
