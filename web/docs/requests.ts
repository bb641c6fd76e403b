/** The HTTP API, by tag. */
import { type Answer, type Body, credential, type Credential, type Group, type HttpOperation, type OpenApi, type Operation, parametersOf, type Part, type Refusal } from "./documents";

const PROBLEM = "application/problem+json";
const PLACES = { path: "In the path", query: "Query", header: "Headers", cookie: "Cookies" };

export function httpGroups(document: OpenApi): Group[] {
  const groups = new Map<string, Group>();
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0] ?? "other";
      const group = groups.get(tag) ?? { id: `tag-${tag}`, title: `HTTP: ${tag}`, description: "", operations: [] };
      groups.set(tag, group);
      group.operations.push(http(document, `${method.toUpperCase()} ${path}`, operation));
    }
  }
  return [...groups.values()];
}

function http(document: OpenApi, label: string, operation: HttpOperation): Operation {
  const answers = Object.entries(operation.responses);
  return {
    id: `http-${operation.operationId}`, label, summary: operation.summary, description: operation.description,
    security: credentials(document, operation),
    parts: [
      ...(operation.parameters.length ? [parameters(operation)] : []),
      ...bodies("Takes", operation.requestBody ?? {}),
      ...answers.filter(([status, answer]) => Number(status) < 400 || !isRefusal(answer)).flatMap(([status, answer]) => {
        const headers = headersOf(answer);
        const shown = bodies(`Answers ${status}`, answer).map((part) => ({ ...part, about: answer.description, fields: headers.length ? [...headers, ...titled("Body", part)] : part.fields }));
        return shown.length ? shown : [{ title: `Answers ${status}`, about: answer.description, fields: headers }];
      }),
    ],
    refusals: answers.filter(([status, answer]) => Number(status) >= 400 && isRefusal(answer)).flatMap(([status, answer]) => refusals(Number(status), answer)),
  };
}

/** Any of them is enough. */
function credentials(document: OpenApi, operation: HttpOperation): Credential[] {
  const ways = (operation.security ?? document.security ?? []).map((way) => Object.keys(way).map((name) => credential(document.components.securitySchemes[name]!)));
  return ways.filter((way) => way.length).map((way) => ({
    sent: way.map(({ sent }) => sent).join(" and "), about: way.map(({ about }) => about ?? "").filter(Boolean).join(" "),
  }));
}

function parameters(operation: HttpOperation): Part {
  return {
    title: "Parameters", about: operation.parameters.map(({ name }) => `\`${name}\``).join(", "),
    fields: Object.entries(PLACES).flatMap(([place, title]) => {
      const found = operation.parameters.filter((each) => each.in === place);
      return found.length ? [{ title, schema: parametersOf(found) }] : [];
    }),
  };
}

function bodies(title: string, body: Body): Part[] {
  return Object.entries(body.content ?? {}).map(([media, { schema, example }]) => ({
    title: media === "application/json" ? title : `${title} (${media})`, fields: [{ schema }], example,
  }));
}

function headersOf({ headers = {} }: Answer): Part["fields"] {
  const named = Object.entries(headers).map(([name, header]) => ({ name, required: true, ...header }));
  return named.length ? [{ title: "Headers", schema: parametersOf(named) }] : [];
}

const titled = (title: string, { fields }: Part): Part["fields"] => fields.map((each) => ({ title, ...each }));

const isRefusal = ({ content = {} }: Answer): boolean => PROBLEM in content;

function refusals(status: number, { description, content }: Answer): Refusal[] {
  const examples = Object.values(content?.[PROBLEM]?.examples ?? {}) as { value: { errorCode: string; title: string; retry?: boolean } }[];
  if (!examples.length) return [{ status, code: "", message: description }];
  return examples.map(({ value: { errorCode, title, retry } }) => ({ status, code: errorCode, message: title, ...(retry ? { retry } : {}) }));
}
