/** How groups and their operations are shown. */
import { html, nothing, type TemplateResult } from "lit";
import type { Credential, Group, Operation, Part, Place, Refusal } from "./documents";
import { fields, words } from "./fields";
import { marks, type Schemas, shape } from "./schema";

const pretty = (value: unknown): string => JSON.stringify(value, null, 2);

export function contents(groups: Group[]): TemplateResult {
  return html`<ul>${groups.map(({ id, title, operations }) => html`
    <li><a href="#${id}">${title}</a>
      <ul>${operations.map((each) => html`<li><a href="#${each.id}">${label(each.label)}</a></li>`)}</ul>
    </li>`)}</ul>`;
}

export function section(group: Group, schemas: Schemas): TemplateResult {
  return html`<section id=${group.id}>
    <h2>${group.title}</h2>
    ${group.description ? html`<p>${words(group.description)}</p>` : nothing}
    ${group.place ? place(group.place, schemas) : nothing}
    ${group.operations.map((each) => operation(each, schemas))}
  </section>`;
}

/** A method of HTTP stands out from the address. */
function label(text: string): TemplateResult {
  const [, method, path] = /^([A-Z]+) (\/.*)$/.exec(text) ?? [];
  return method ? html`<code><span class="method ${method.toLowerCase()}">${method}</span> ${path}</code>` : html`<code>${text}</code>`;
}

function place({ about, address, fields: named, security }: Place, schemas: Schemas): TemplateResult {
  return html`<div class="place">
    <dl class="facts">
      ${address.map(([name, value]) => html`<div><dt>${name}</dt><dd><code>${value}</code></dd></div>`)}
      ${security ? html`<div><dt>Security</dt><dd>${credentials(security)}</dd></div>` : nothing}
    </dl>
    ${about ? html`<p class="muted">${words(about)}</p>` : nothing}
    ${named.map(({ title, schema }) => html`<h3 class="small">${title}</h3>${fields(schema, schemas)}`)}
  </div>`;
}

function credentials(security: Credential[]): unknown {
  if (!security.length) return "open to all";
  return security.map(({ sent, about }, number) => html`${number ? " or " : ""}<code>${sent}</code>${about ? html` <span class="muted">${words(about)}</span>` : nothing}`);
}

function operation(each: Operation, schemas: Schemas): TemplateResult {
  return html`<article id=${each.id}>
    <h3>${label(each.label)} <span>${words(each.summary)}</span></h3>
    ${each.description && each.description !== each.summary ? html`<p>${words(each.description)}</p>` : nothing}
    ${each.security ? html`<p class="security"><b>Security</b> ${credentials(each.security)}</p>` : nothing}
    ${each.parts.map((part) => opened(part, schemas))}
    ${each.refusals.length ? refused(each.refusals) : nothing}
  </article>`;
}

function opened({ title, about, fields: shown, example }: Part, schemas: Schemas): TemplateResult {
  const [only, another] = shown;
  const mark = only && !another && !only.title ? marks(shape(only.schema, schemas)).join(", ") : "";
  const says = html`${title}${mark ? html` <code>${mark}</code>` : nothing}${about ? html` <span class="muted">${words(about)}</span>` : nothing}`;
  if (!only && example === undefined) return html`<p class="said">${says}</p>`;
  return html`<details>
    <summary>${says}</summary>
    ${shown.map((each) => html`${each.title ? html`<h4>${each.title}</h4>` : nothing}${fields(each.schema, schemas)}`)}
    ${example === undefined ? nothing : html`<h4>Example</h4><pre tabindex="0"><code>${pretty(example)}</code></pre>`}
  </details>`;
}

/** What can go wrong, with the columns that the door has: HTTP a status, live ones a close code. */
function refused(refusals: Refusal[]): TemplateResult {
  const [status, close] = [refusals.some((each) => each.status), refusals.some((each) => each.close)];
  return html`<details>
    <summary>Refusals <span class="muted">${refusals.length}</span></summary>
    <table><thead><tr>${status ? html`<th>status</th>` : nothing}<th>code</th>${close ? html`<th>close code</th>` : nothing}<th>meaning</th></tr></thead>
    <tbody>${refusals.map((each) => html`<tr>
      ${status ? html`<td>${each.status}</td>` : nothing}<td><code>${each.code}</code></td>${close ? html`<td>${each.close ?? "–"}</td>` : nothing}
      <td>${each.message}${each.retry ? html` <span class="muted">· try again</span>` : nothing}</td></tr>`)}</tbody></table>
  </details>`;
}
