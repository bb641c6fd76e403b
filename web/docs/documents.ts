/** The two documents, as far as the page reads them. */

export interface Schema {
  $ref?: string;
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  pattern?: string;
  format?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
}

interface Ref {
  $ref: string;
}

export interface Refused {
  code: string;
  message: string;
  close?: number;
}

export interface Message {
  name: string;
  summary: string;
  payload: Schema;
  examples: { payload: unknown }[];
}

interface LiveOperation {
  action: "send" | "receive";
  channel: Ref;
  summary: string;
  description: string;
  messages: Ref[];
  reply?: { messages: Ref[] };
  "x-errors": Refused[];
}

export interface AsyncApi {
  info: { version: string; "x-contract": number[] };
  channels: Record<string, { address: string; title: string; description: string }>;
  operations: Record<string, LiveOperation>;
  components: { schemas: Record<string, Schema>; messages: Record<string, Message> };
}

interface Body {
  content?: Record<string, { schema: Schema; example?: unknown; examples?: Record<string, unknown> }>;
}

interface HttpOperation {
  operationId: string;
  tags: string[];
  summary: string;
  description: string;
  parameters: { name: string; in: string; required: boolean; description: string; schema: Schema }[];
  requestBody?: Body;
  responses: Record<string, Body & { description: string }>;
}

export interface OpenApi {
  paths: Record<string, Record<string, HttpOperation>>;
  components: { schemas: Record<string, Schema> };
}

/** One thing that can be done, of either document. */
export interface Operation {
  id: string;
  label: string;
  summary: string;
  description: string;
  parts: { title: string; about?: string; schema?: Schema; example?: unknown }[];
  refusals: Refused[];
}

export interface Group {
  id: string;
  title: string;
  description: string;
  operations: Operation[];
}

const last = ({ $ref }: Ref): string => $ref.slice($ref.lastIndexOf("/") + 1);

/** What goes over the live doors, by channel. */
export function liveGroups(document: AsyncApi): Group[] {
  return Object.entries(document.channels).map(([key, channel]) => ({
    id: `channel-${key}`, title: channel.title, description: channel.description,
    operations: Object.entries(document.operations)
      .filter(([, operation]) => last(operation.channel) === key)
      .map(([id, operation]) => live(document, id, operation)),
  }));
}

function live(document: AsyncApi, id: string, operation: LiveOperation): Operation {
  const message = (ref: Ref, title: string): Operation["parts"][number] => {
    const { name, summary, payload, examples } = document.components.messages[last(ref)]!;
    return { title: `${title} ${name}`, about: summary, schema: payload, example: examples[0]?.payload };
  };
  const sent = operation.action === "send";
  const names = operation.messages.map((ref) => document.components.messages[last(ref)]!.name);
  return {
    id: `live-${id}`, summary: operation.summary, description: operation.description, refusals: operation["x-errors"],
    label: sent ? `→ ${[...new Set(names)].slice(0, 3).join(", ")}` : names[0]!,
    parts: [
      ...operation.messages.map((ref) => message(ref, sent ? "Says" : "Takes")),
      ...(operation.reply?.messages ?? []).map((ref) => message(ref, "Answers with")),
    ],
  };
}

/** The HTTP API, by tag. */
export function httpGroups(document: OpenApi): Group[] {
  const groups = new Map<string, Group>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? "other";
      const group = groups.get(tag) ?? { id: `tag-${tag}`, title: `HTTP: ${tag}`, description: "", operations: [] };
      groups.set(tag, group);
      group.operations.push(http(`${method.toUpperCase()} ${path}`, operation));
    }
  }
  return [...groups.values()];
}

function http(label: string, operation: HttpOperation): Operation {
  const parameters: Schema = {
    type: "object",
    properties: Object.fromEntries(operation.parameters.map((each) => [each.name, { ...each.schema, description: `${each.description} (${each.in})` }])),
    required: operation.parameters.filter(({ required }) => required).map(({ name }) => name),
  };
  const answers = Object.entries(operation.responses);
  return {
    id: `http-${operation.operationId}`, label, summary: operation.summary, description: operation.description,
    parts: [
      ...(operation.parameters.length ? [{ title: "Parameters", schema: parameters }] : []),
      ...bodies("Takes", operation.requestBody ?? {}),
      ...answers.filter(([status]) => Number(status) < 400).flatMap(([status, answer]) => {
        const shown = bodies(`Answers ${status}`, answer, answer.description);
        return shown.length ? shown : [{ title: `Answers ${status}`, about: answer.description }];
      }),
    ],
    refusals: answers.flatMap(([, { content }]) =>
      Object.values(content?.["application/problem+json"]?.examples ?? {}).map((each) => {
        const { errorCode, title } = (each as { value: { errorCode: string; title: string } }).value;
        return { code: errorCode, message: title };
      })),
  };
}

function bodies(title: string, body: Body, about?: string): Operation["parts"] {
  return Object.entries(body.content ?? {}).map(([media, { schema, example }]) => ({
    title: media === "application/json" ? title : `${title} (${media})`,
    schema, example, ...(about ? { about } : {}),
  }));
}
