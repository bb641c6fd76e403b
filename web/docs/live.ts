/** What goes over the live doors, by channel. */
import { type AsyncApi, type Channel, credential, type Credential, type Group, type LiveOperation, type Operation, parametersOf, type Part, type Place, type Query, type Ref, type Scheme, type Server } from "./documents";
import { last, type Schema } from "./schema";

const SCHEMA_WORDS = ["type", "properties", "$ref", "allOf", "oneOf", "anyOf"];

export function liveGroups(document: AsyncApi): Group[] {
  return Object.entries(document.channels).map(([key, channel]) => ({
    id: `channel-${key}`, title: channel.title, description: channel.description, place: place(document, channel),
    operations: Object.entries(document.operations)
      .filter(([, operation]) => last(operation.channel.$ref) === key)
      .map(([id, operation]) => live(document, id, operation)),
  }));
}

function live(document: AsyncApi, id: string, operation: LiveOperation): Operation {
  const message = (ref: Ref, title: string): Part => {
    const { name, summary, payload, examples } = document.components.messages[last(ref.$ref)]!;
    return { title: `${title} ${name}`, about: summary, fields: [{ schema: payload }], example: examples[0]?.payload };
  };
  const sent = operation.action === "send";
  const names = operation.messages.map((ref) => document.components.messages[last(ref.$ref)]!.name);
  return {
    id: `live-${id}`, summary: operation.summary, description: operation.description, refusals: operation["x-errors"],
    label: `${sent ? "→ " : ""}${[...new Set(names)].join(", ")}`,
    ...(operation.security ? { security: credentials(document, operation.security) } : {}),
    parts: [
      ...operation.messages.map((ref) => message(ref, sent ? "Says" : "Takes")),
      ...(operation.reply?.messages ?? []).map((ref) => message(ref, "Answers with")),
    ],
  };
}

function place(document: AsyncApi, channel: Channel): Place {
  const servers = channel.servers.map((ref) => document.servers[last(ref.$ref)]!);
  const security = servers.flatMap((server) => server.security ?? []);
  const path = Object.entries(channel.parameters ?? {}).map(([name, { schema, ...more }]) => ({
    name, required: true, schema: { type: "string", ...schema, ...more } as Schema,
  }));
  const query = asSchema(channel["x-query"] ?? channel.bindings?.ws?.query);
  const headers = channel.bindings?.ws?.headers;
  return {
    about: servers.map(({ description }) => description).join(" "),
    address: servers.flatMap((server) => address(server, channel.address)),
    fields: [
      ...(path.length ? [{ title: "In the address", schema: parametersOf(path) }] : []),
      ...(query ? [{ title: "Query", schema: query }] : []),
      ...(headers ? [{ title: "Headers", schema: headers }] : []),
    ],
    ...(security.length ? { security: credentials(document, security) } : {}),
  };
}

/** Where a channel is on a server: below its path, or of a name that only its protocol knows. */
function address({ protocol, host, pathname, variables = {} }: Server, channel: string): Place["address"] {
  const filled = Object.entries(variables).flatMap(([name, { default: value }]): Place["address"] => (value ? [[`{${name}}`, value]] : []));
  if (protocol === "ws" || protocol === "sse") return [["Address", `${protocol === "ws" ? "ws" : "http"}://${host}${channel}`], ...filled];
  const name = protocol === "socketio" ? "Namespace" : "Channel";
  const scheme = protocol === "socketio" ? "http" : protocol;
  return [["Address", `${scheme}://${host}${pathname ?? ""}`], [name, channel], ...filled];
}

function credentials(document: AsyncApi, security: (Ref | Scheme)[]): Credential[] {
  return security.map((each) => credential("$ref" in each ? document.components.securitySchemes[last(each.$ref)]! : each));
}

function asSchema(query: Query | undefined): Schema | undefined {
  if (!query || Array.isArray(query)) return query && parametersOf(query);
  return SCHEMA_WORDS.some((word) => typeof query[word as keyof Query] !== "undefined") ? (query as Schema) : { type: "object", properties: query as Record<string, Schema> };
}
