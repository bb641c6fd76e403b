import { expect, test } from "vitest";
import { wordsOf } from "../src/words";

test("a language tag gives the words of its language, English where there are none", () => {
  const retry = (lang: string): string => wordsOf(lang).retry;
  expect(["pt", "pt-BR", "PT-pt", "es", "es-MX", "en-GB", "fr", "est", ""].map(retry)).toEqual([
    "Tentar de novo", "Tentar de novo", "Tentar de novo", "Reintentar", "Reintentar", "Try again", "Try again", "Try again", "Try again",
  ]);
});

test("no language leaves a status or an error of the hub to English", () => {
  const en = wordsOf("en");
  for (const lang of ["pt", "es"]) {
    const words = wordsOf(lang);
    for (const part of ["status", "kind", "errors", "feed", "connectionHints"] as const) {
      expect(Object.keys(words[part]).sort(), `${lang} ${part}`).toEqual(Object.keys(en[part]).sort());
    }
  }
});
