/** How the fields of a schema are shown. */
import { html, nothing, type TemplateResult } from "lit";
import { alternatives, type Kind, kinds, last, marks, openable, rules, type Schema, type Schemas, shape, valueLimits } from "./schema";

const DEEPEST = 6;

/** `text` as Markdown has it, as far as the documents use it: code between backticks. */
export function words(text: string): (string | TemplateResult)[] {
  return text.split("`").map((part, number) => (number % 2 ? html`<code>${part}</code>` : part));
}

/** The fields of an object, of each alternative, or what else a schema says. */
export function fields(given: Schema, schemas: Schemas, deep = 0): TemplateResult {
  const each = shape(given, schemas);
  if (!each.properties) return html`<p>${typed(given, schemas)} ${words(each.description ?? "")}</p>${nested(given, schemas, deep)}`;
  const required = new Set(each.required);
  return html`
    ${rules(each).map((rule) => html`<p class="rule">${words(rule)}</p>`)}
    <dl class="fields">${Object.entries(each.properties).map(([name, field]) => html`
      <div><dt><code>${name}</code>${required.has(name) ? nothing : html` <span class="optional">optional</span>`}</dt>
      <dd>${typed(field, schemas)} ${words(about(field, schemas))}${nested(field, schemas, deep)}</dd></div>`)}</dl>`;
}

/** Types and their limits. */
function typed(given: Schema, schemas: Schemas): TemplateResult {
  const more = valueLimits(shape(given, schemas));
  const one = ({ type, limits }: Kind, number: number): TemplateResult =>
    html`${number ? " | " : ""}<span class="type">${type}</span>${limits.length ? limit(` ${limits.join(", ")}`) : nothing}`;
  return html`<span class="typed">${kinds(given, schemas).map(one)}${more.map((each) => limit(`, ${each}`))}</span>`;
}

const limit = (text: string): TemplateResult => html`<span class="limit">${words(text)}</span>`;

/** What is said of a field: by itself, or by the alternative that has no fields to say it at. */
function about(given: Schema, schemas: Schemas): string {
  if (given.description) return given.description;
  const each = shape(given, schemas);
  if (each.properties) return "";
  return [each, ...alternatives(each).map((option) => shape(option, schemas))].find(({ description, properties }) => description && !properties)?.description ?? "";
}

/** All that has fields in it, each to be opened. */
function nested(given: Schema, schemas: Schemas, deep: number): unknown {
  if (deep >= DEEPEST) return nothing;
  const found = openable(given, schemas);
  return found.map((option) => {
    const each = shape(option, schemas);
    const one = found.length === 1;
    return html`<details class="nested">
      <summary>${one ? "fields of " : ""}<code>${named(option)}</code>${one ? nothing : html` <span class="muted">${marks(each).join(", ")}</span>`}</summary>
      ${each.description && each.description !== given.description ? html`<p class="muted">${words(each.description)}</p>` : nothing}
      ${fields(option, schemas, deep + 1)}
    </details>`;
  });
}

const named = ({ $ref, title, properties = {} }: Schema): string => ($ref ? last($ref) : title ?? `{${Object.keys(properties).join(", ")}}`);
