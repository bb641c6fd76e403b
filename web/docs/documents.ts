/** The two documents, as far as the page reads them. */
import type { Schema, Schemas } from "./schema";

export interface Ref {
  $ref: string;
}

/** `name` and `in`: of a key that is not in the header `Authorization`. */
export interface Scheme {
  type: string;
  scheme?: string;
  bearerFormat?: string;
  name?: string;
  in?: string;
  description?: string;
}

interface LiveRefusal {
  code: string;
  message: string;
  retry?: boolean;
  close?: number;
}

interface Message {
  name: string;
  summary: string;
  payload: Schema;
  examples: { payload: unknown }[];
}

export interface LiveOperation {
  action: "send" | "receive";
  channel: Ref;
  summary: string;
  description: string;
  messages: Ref[];
  reply?: { messages: Ref[] };
  security?: (Ref | Scheme)[];
  "x-errors": LiveRefusal[];
}

export interface Server {
  host: string;
  protocol: string;
  pathname?: string;
  description: string;
  variables?: Record<string, { default?: string; description?: string }>;
  security?: (Ref | Scheme)[];
}

interface Parameter {
  name: string;
  description?: string;
  required?: boolean;
  schema?: Schema;
}

/** As one schema, as parameters of OpenAPI, or as a schema for each name. */
export type Query = Schema | Parameter[] | Schemas;

export interface Channel {
  address: string;
  title: string;
  description: string;
  servers: Ref[];
  parameters?: Record<string, { description?: string; enum?: string[]; default?: string; schema?: Schema }>;
  bindings?: { ws?: { query?: Query; headers?: Schema } };
  "x-query"?: Query;
}

export interface AsyncApi {
  info: { version: string; "x-contract": number[] };
  servers: Record<string, Server>;
  channels: Record<string, Channel>;
  operations: Record<string, LiveOperation>;
  components: { schemas: Schemas; messages: Record<string, Message>; securitySchemes: Record<string, Scheme> };
}

export interface Body {
  content?: Record<string, { schema: Schema; example?: unknown; examples?: Record<string, unknown> }>;
}

export interface Answer extends Body {
  description: string;
  headers?: Record<string, { description?: string; schema?: Schema }>;
}

export interface HttpOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters: (Parameter & { in: string })[];
  requestBody?: Body;
  responses: Record<string, Answer>;
  security?: Record<string, string[]>[];
}

export interface OpenApi {
  security?: Record<string, string[]>[];
  paths: Record<string, Record<string, HttpOperation>>;
  components: { schemas: Schemas; securitySchemes: Record<string, Scheme> };
}

/** A way to say who one is: what is sent, and what more there is to know. */
export interface Credential {
  sent: string;
  about?: string;
}

export interface Refusal {
  code: string;
  message: string;
  retry?: boolean;
  status?: number;
  close?: number;
}

/** Something to open: what is sent one way. */
export interface Part {
  title: string;
  about?: string;
  fields: { title?: string; schema: Schema }[];
  example?: unknown;
}

/** One thing that can be done, of either document. `security`: any of them is enough; none: nobody is asked. */
export interface Operation {
  id: string;
  label: string;
  summary: string;
  description: string;
  security?: Credential[];
  parts: Part[];
  refusals: Refusal[];
}

/** Where the operations of a group are reached. `address`: its parts by their names. */
export interface Place {
  about: string;
  address: [name: string, value: string][];
  fields: { title: string; schema: Schema }[];
  security?: Credential[];
}

export interface Group {
  id: string;
  title: string;
  description: string;
  place?: Place;
  operations: Operation[];
}

/** What a client sends for a security scheme. */
export function credential({ type, scheme, bearerFormat, name, in: where, description }: Scheme): Credential {
  const sent =
    scheme?.toLowerCase() === "bearer" ? `Authorization: Bearer <${bearerFormat ?? "token"}>`
    : scheme ? `Authorization: ${scheme}`
    : where === "query" ? `?${name}=…`
    : where === "cookie" ? `Cookie: ${name}=…`
    : name ? `${name}: …` : type;
  return { sent, ...(description ? { about: description } : {}) };
}

/** An object with a field for each parameter. */
export function parametersOf(parameters: Parameter[]): Schema {
  return {
    type: "object",
    properties: Object.fromEntries(parameters.map(({ name, description, schema }) => [name, { ...schema, ...(description ? { description } : {}) }])),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
  };
}
