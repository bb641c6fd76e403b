/** What the page of the documents reads from a schema. */
import { describe, expect, test } from "vitest";
import { alternatives, kinds, openable, rules, type Schema, shape, valueLimits } from "../docs/schema";

const schemas = {
  Name: { type: "string", pattern: "^[a-z]+$", maxLength: 9 },
  One: { type: "object", properties: { type: { const: "ONE" }, a: { type: "string" } } },
  Two: { type: "object", properties: { type: { const: "TWO" }, b: { $ref: "#/components/schemas/Name" } } },
  Either: { oneOf: [{ $ref: "#/components/schemas/One" }, { $ref: "#/components/schemas/Two" }] },
} satisfies Record<string, Schema>;
const ref = (name: keyof typeof schemas): Schema => ({ $ref: `#/components/schemas/${name}` });
const said = (schema: Schema): string =>
  [...kinds(schema, schemas).map(({ type, limits }) => [type, ...limits].join(" ")), ...valueLimits(shape(schema, schemas))].join("; ");

describe("rules", () => {
  const own = { type: "object", properties: { a: {}, b: {}, c: {} } };
  const needs = (...required: string[]): Schema => ({ required });

  test.each<[string[], Schema]>([
    [["exactly one of `a`, `b`"], { oneOf: [needs("a"), needs("b")] }],
    [["exactly one of `a`, `b`"], { oneOf: [{ ...needs("a"), properties: { a: { type: "string" } } }, needs("b")] }],
    [["exactly one of `a` with `b`, `c`"], { oneOf: [needs("a", "b"), needs("c")] }],
    [["at least one of `a`, `b`"], { anyOf: [needs("a"), needs("b")] }],
    [["at most one of `a`, `b`"], { oneOf: [needs("a"), needs("b"), { not: { anyOf: [needs("a"), needs("b")] } }] }],
    [["at most one of `a`, `b`"], { oneOf: [needs("a"), needs("b"), { properties: { a: { type: "null" }, b: { type: "null" } } }] }],
    [["at most one of `a`, `b`"], { not: needs("a", "b") }],
    [["at most one of `a`, `b`, `c`"], { not: { anyOf: [needs("a", "b"), needs("a", "c"), needs("b", "c")] } }],
    [["not all of `a`, `b`, `c`"], { not: needs("a", "b", "c") }],
    [["none of `a`"], { not: needs("a") }],
    [["`a` only with `b`"], { dependentRequired: { a: ["b"] } }],
    [[], { anyOf: [needs("a"), {}] }],
    [[], {}],
  ])("are %j", (expected, more) => {
    expect(rules(shape({ ...own, ...more }, schemas))).toEqual(expected);
    expect(rules(shape({ allOf: [own, more] }, schemas))).toEqual(expected);
    expect(alternatives(shape({ allOf: [own, more] }, schemas))).toEqual([]);
  });
});

test.each<[string, Schema]>([
  ["string 1–64 characters; null", { anyOf: [{ type: "string", minLength: 1, maxLength: 64 }, { type: "null" }], default: null }],
  ["string ≥ 1 character", { type: "string", minLength: 1 }],
  ["string ≤ 9 characters matches `^[a-z]+$`", ref("Name")],
  ["string date-time", { type: "string", format: "date-time" }],
  ["integer 1–100; default `20`", { type: "integer", minimum: 1, maximum: 100, default: 20 }],
  ["number > 0 < 1", { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }],
  ['"A" | "B"; default `"A"`', { enum: ["A", "B"], default: "A" }],
  ["1", { const: 1 }],
  ["string | null", { type: ["string", "null"] }],
  ["string[] 1–5 items each ≤ 9 characters each matches `^[a-z]+$`", { type: "array", minItems: 1, maxItems: 5, items: ref("Name") }],
  ["(One | Two)[] 2 items", { type: "array", minItems: 2, maxItems: 2, items: schemas.Either }],
  ["Either[]", { type: "array", items: ref("Either") }],
  ["map of One ≤ 3 fields", { type: "object", additionalProperties: ref("One"), maxProperties: 3 }],
  ['string none of `"A"`', { type: "string", not: { enum: ["A"] } }],
  ["anything", {}],
])("is said as %s", (expected, schema) => expect(said(schema)).toBe(expected));

test.each<[string, Schema]>([
  ["a reference", ref("Either")],
  ["a list", { type: "array", items: { anyOf: [ref("One"), ref("Two")] } }],
  ["a map", { type: "object", additionalProperties: ref("Either") }],
  ["an inline alternative", { anyOf: [ref("One"), { enum: ["all"] }, { type: "array", items: ref("Two") }] }],
])("all that has fields is found behind %s", (_, schema) => expect(openable(schema, schemas)).toEqual([ref("One"), ref("Two")]));
