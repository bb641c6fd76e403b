/** How operations and their schemas are shown. */
import { html, nothing, type TemplateResult } from "lit";
import type { Group, Operation, Schema } from "./documents";

type Schemas = Record<string, Schema>;
const DEEPEST = 6;

/** `text` as Markdown has it, as far as the documents use it: code between backticks. */
export function words(text: string): (string | TemplateResult)[] {
  return text.split("`").map((part, number) => (number % 2 ? html`<code>${part}</code>` : part));
}

const pretty = (value: unknown): string => JSON.stringify(value, null, 2);

export function contents(groups: Group[]): TemplateResult {
  return html`<ul>${groups.map(({ id, title, operations }) => html`
    <li><a href="#${id}">${title}</a>
      <ul>${operations.map((each) => html`<li><a href="#${each.id}"><code>${each.label}</code></a></li>`)}</ul>
    </li>`)}</ul>`;
}

export function section(group: Group, schemas: Schemas): TemplateResult {
  return html`<section id=${group.id}>
    <h2>${group.title}</h2>
    ${group.description ? html`<p>${words(group.description)}</p>` : nothing}
    ${group.operations.map((each) => operation(each, schemas))}
  </section>`;
}

function operation(each: Operation, schemas: Schemas): TemplateResult {
  return html`<article id=${each.id}>
    <h3><code>${each.label}</code> ${words(each.summary)}</h3>
    ${each.description && each.description !== each.summary ? html`<p>${words(each.description)}</p>` : nothing}
    ${each.parts.map((part) => html`<details>
      <summary>${part.title}${part.about ? html`<span class="muted"> ${words(part.about)}</span>` : nothing}</summary>
      ${part.schema ? fields(part.schema, schemas, 0) : nothing}
      ${part.example === undefined ? nothing : html`<p class="muted">Example</p><pre tabindex="0"><code>${pretty(part.example)}</code></pre>`}
    </details>`)}
    ${each.refusals.length ? html`<details>
      <summary>Refusals <span class="muted">${each.refusals.length}</span></summary>
      <table><thead><tr><th>code</th><th>close</th><th>meaning</th></tr></thead>
      <tbody>${each.refusals.map(({ code, close, message }) => html`<tr><td><code>${code}</code></td><td>${close ?? ""}</td><td>${message}</td></tr>`)}</tbody></table>
    </details>` : nothing}
  </article>`;
}

/** The fields of an object, of each alternative, or what else a schema says. */
function fields(given: Schema, schemas: Schemas, deep: number): TemplateResult {
  const schema = resolved(given, schemas);
  const options = (schema.oneOf ?? schema.anyOf ?? []).filter(({ type, $ref }) => $ref || type === "object");
  if (deep > DEEPEST) return html``;
  if (schema.items) return fields(schema.items, schemas, deep);
  if (!schema.properties) {
    if (!options.length) return html`<p class="type">${type(schema, schemas)}</p>`;
    return html`${options.map((option) => html`<details class="nested"><summary>${name(option)}</summary>${fields(option, schemas, deep + 1)}</details>`)}`;
  }
  const required = new Set(schema.required);
  return html`<dl>${Object.entries(schema.properties).map(([key, each]) => html`
    <div><dt><code>${key}</code>${required.has(key) ? nothing : html`<span class="muted"> optional</span>`}</dt>
    <dd><span class="type">${type(each, schemas)}</span> ${words(each.description ?? "")}
      ${inside(each, schemas) ? html`<details class="nested"><summary>fields</summary>${fields(inside(each, schemas)!, schemas, deep + 1)}</details>` : nothing}
    </dd></div>`)}</dl>`;
}

function resolved(schema: Schema, schemas: Schemas): Schema {
  if (schema.$ref) return resolved(schemas[name(schema)] ?? {}, schemas);
  return schema.allOf ? resolved(schema.allOf[0]!, schemas) : schema;
}

/** What a field holds that has fields of its own. */
function inside(each: Schema, schemas: Schemas): Schema | undefined {
  const options = [each, each.items ?? {}, ...(each.anyOf ?? []), ...(each.oneOf ?? [])];
  return options.find((option) => {
    const found = resolved(option, schemas);
    return found.properties !== undefined || (option.$ref !== undefined && found.oneOf !== undefined);
  });
}

const name = ({ $ref, type: kind }: Schema): string => $ref?.slice($ref.lastIndexOf("/") + 1) ?? kind ?? "any";

function type(schema: Schema, schemas: Schemas): string {
  if (schema.$ref) {
    const found = resolved(schema, schemas);
    return found.enum ? type(found, schemas) : name(schema);
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return options.map((each) => type(each, schemas)).join(" | ");
  if (schema.items) return `${type(schema.items, schemas)}[]`;
  const limits = [
    schema.minimum === undefined ? "" : `≥ ${schema.minimum}`,
    schema.maximum === undefined ? "" : `≤ ${schema.maximum}`,
    schema.maxLength === undefined ? "" : `≤ ${schema.maxLength} characters`,
  ].filter(Boolean).join(", ");
  return `${schema.type ?? "anything"}${limits ? ` (${limits})` : ""}`;
}
