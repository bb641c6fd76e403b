/** Schemas of both documents, put together as readers want them, and their limits in words. */

export interface Schema {
  $ref?: string;
  title?: string;
  type?: string | string[];
  description?: string;
  properties?: Schemas;
  required?: string[];
  additionalProperties?: boolean | Schema;
  dependentRequired?: Record<string, string[]>;
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  not?: Schema;
  pattern?: string;
  format?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
}

export type Schemas = Record<string, Schema>;

interface Choice {
  exactly: boolean;
  options: Schema[];
}

/** A schema without references: what it and all parts of its `allOf` say. */
export interface Shape extends Omit<Schema, "$ref" | "allOf" | "oneOf" | "anyOf" | "not"> {
  choices: Choice[];
  excluded: Schema[];
}

/** One kind of value, and what it is limited to; code stands between backticks. */
export interface Kind {
  type: string;
  limits: string[];
}

export const last = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);
const code = (text: string): string => `\`${text}\``;
const json = (value: unknown): string => JSON.stringify(value);

export function shape(given: Schema, schemas: Schemas): Shape {
  const { $ref, allOf = [], oneOf, anyOf, not, ...own } = given;
  const parts = [...($ref ? [schemas[last($ref)] ?? {}] : []), ...allOf].map((part) => shape(part, schemas));
  const choices = [...(oneOf ? [{ exactly: true, options: oneOf }] : []), ...(anyOf ? [{ exactly: false, options: anyOf }] : [])];
  return [...parts, { ...own, choices, excluded: not ? [not] : [] }].reduce(both);
}

function both(one: Shape, other: Shape): Shape {
  const properties = { ...one.properties, ...other.properties };
  const required = [...new Set([...(one.required ?? []), ...(other.required ?? [])])];
  return {
    ...one, ...other, choices: [...one.choices, ...other.choices], excluded: [...one.excluded, ...other.excluded],
    ...(one.properties || other.properties ? { properties } : {}),
    ...(required.length ? { required } : {}),
  };
}

/** Whether an option says only which of the object's own fields are there. */
function isCondition({ properties = {} }: Shape, { $ref, type, ...option }: Schema): boolean {
  if ($ref || (type && type !== "object")) return false;
  const named = [...(option.required ?? []), ...Object.keys(option.properties ?? {}), ...Object.keys(option)];
  const said = new Set(["required", "properties", "not", "anyOf", "description", "title", ...Object.keys(properties)]);
  return Object.keys(properties).length > 0 && named.every((name) => said.has(name));
}

/** What a value can be instead of one thing: the options that are not conditions. */
export function alternatives(each: Shape): Schema[] {
  return each.choices.flatMap(({ options }) => options.filter((option) => !isCondition(each, option)));
}

/** Which fields go together or exclude each other, in words. */
export function rules(each: Shape): string[] {
  const chosen = each.choices.flatMap(({ exactly, options }) => {
    if (!options.every((option) => isCondition(each, option))) return [];
    const named = options.filter(({ required }) => required?.length).map(({ required }) => required!.map(code).join(" with "));
    const free = named.length < options.length;
    if (!named.length || (free && !exactly)) return [];
    return [`${exactly ? (free ? "at most" : "exactly") : "at least"} one of ${named.join(", ")}`];
  });
  const excluded = each.excluded.flatMap(({ required, anyOf, oneOf }) => {
    const sets = required ? [required] : (anyOf ?? oneOf ?? []).map((option) => option.required ?? []);
    if (!sets.length || sets.some((set) => !set.length)) return [];
    const names = [...new Set(sets.flat())].map(code).join(", ");
    if (sets.every((set) => set.length === 1)) return [`none of ${names}`];
    return sets.every((set) => set.length === 2) ? [`at most one of ${names}`] : [`not all of ${names}`];
  });
  const together = Object.entries(each.dependentRequired ?? {}).map(([name, others]) => `${code(name)} only with ${others.map(code).join(", ")}`);
  return [...chosen, ...excluded, ...together];
}

/** The kinds of value that a schema allows. */
export function kinds(given: Schema, schemas: Schemas): Kind[] {
  const each = shape(given, schemas);
  const options = alternatives(each);
  if (given.$ref && (each.properties || options.length)) return [{ type: last(given.$ref), limits: [] }];
  if (each.const !== undefined) return [{ type: json(each.const), limits: [] }];
  if (each.enum) return [{ type: each.enum.map(json).join(" | "), limits: [] }];
  if (options.length) return options.flatMap((option) => kinds(option, schemas));
  const value = each.items ?? (typeof each.additionalProperties === "object" ? each.additionalProperties : undefined);
  if (value && !each.properties) {
    const inner = kinds(value, schemas);
    const named = inner.map(({ type }) => type).join(" | ");
    const list = inner.length > 1 || named.includes(" | ") ? `(${named})[]` : `${named}[]`;
    const limits = [...inner.flatMap((kind) => kind.limits.map((limit) => `each ${limit}`)), ...valueLimits(value)];
    return [{ type: each.items ? list : `map of ${named}`, limits: [...ownLimits(each), ...limits] }];
  }
  return [{ type: [each.type ?? "anything"].flat().join(" | "), limits: ownLimits(each) }];
}

/** What holds for a value of any kind. A default of null says no more than that it may be left out. */
export function valueLimits(given: Schema): string[] {
  return given.default === undefined || given.default === null ? [] : [`default ${code(json(given.default))}`];
}

function ownLimits(each: Shape): string[] {
  const excluded = each.excluded.flatMap((not) => not.enum ?? (not.const === undefined ? [] : [not.const]));
  return [
    each.format ?? "",
    between(each.minimum, each.maximum),
    each.exclusiveMinimum === undefined ? "" : `> ${each.exclusiveMinimum}`,
    each.exclusiveMaximum === undefined ? "" : `< ${each.exclusiveMaximum}`,
    between(each.minLength, each.maxLength, "character"),
    between(each.minItems, each.maxItems, "item"),
    between(each.minProperties, each.maxProperties, "field"),
    each.pattern ? `matches ${code(each.pattern)}` : "",
    excluded.length ? `none of ${excluded.map((value) => code(json(value))).join(", ")}` : "",
  ].filter(Boolean);
}

function between(least: number | undefined, most: number | undefined, unit?: string): string {
  if (least === undefined && most === undefined) return "";
  const numbers = least === undefined ? `≤ ${most}` : most === undefined ? `≥ ${least}` : least === most ? `${most}` : `${least}–${most}`;
  return unit ? `${numbers} ${unit}${(most ?? least) === 1 ? "" : "s"}` : numbers;
}

/** What has fields in it, of all that a value can be: those of a list and of a map too. */
export function openable(given: Schema, schemas: Schemas): Schema[] {
  const each = shape(given, schemas);
  if (each.properties) return [given];
  if (each.items) return openable(each.items, schemas);
  if (typeof each.additionalProperties === "object") return openable(each.additionalProperties, schemas);
  return alternatives(each).flatMap((option) => openable(option, schemas));
}

/** What tells an object apart from its alternatives: the fields that can have one value only. */
export function marks({ properties = {} }: Shape): string[] {
  return Object.entries(properties).flatMap(([name, { const: only, enum: values }]) => {
    const value = only ?? (values?.length === 1 ? values[0] : undefined);
    return typeof value === "string" ? [`${name}: ${json(value)}`] : [];
  });
}
