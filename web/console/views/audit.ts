/** `<console-audit>`: what administrators did. */
import { html, type TemplateResult } from "lit";
import { ConsoleElement } from "../base";
import { when } from "../format";
import type { Column } from "../table";
import type { AuditRecord, Page } from "../types";

const LOOKS = new Set(["connect", "stats", "connections", "jobs", "trace", "tail", "untail", "dead", "audit"]);
const ENOUGH = 25;
const PAGES = 8;

/** What changed something: pages of all records are asked for until there is enough of it. */
async function acts(page: (cursor: string | undefined) => Promise<Page<AuditRecord>>, cursor: string | undefined): Promise<Page<AuditRecord>> {
  const items: AuditRecord[] = [];
  let next: string | null = cursor ?? null;
  for (let asked = 0; asked < PAGES; asked++) {
    const found: Page<AuditRecord> = await page(next ?? undefined);
    items.push(...found.items.filter(({ action, outcome }) => !LOOKS.has(action) || outcome !== "OK"));
    next = found.nextCursor;
    if (!next || items.length >= ENOUGH) break;
  }
  return { items, nextCursor: next };
}

export class ConsoleAudit extends ConsoleElement {
  #all = false;
  #load = this.#loader();

  #loader(): (cursor: string | undefined) => Promise<Page<AuditRecord>> {
    const page = (cursor: string | undefined): Promise<Page<AuditRecord>> => this.admin.call("audit", cursor ? { cursor } : {});
    return this.#all ? page : (cursor) => acts(page, cursor);
  }

  #show(all: boolean): void {
    this.#all = all;
    this.#load = this.#loader();
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const { audit } = this.words;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${audit.title}</h1><p>${audit.intro}</p></div>
          <label class="choice"><input type="checkbox" ?checked=${this.#all} @change=${(event: Event) => this.#show((event.target as HTMLInputElement).checked)} />${audit.looks}</label>
        </div>
        <console-table .label=${audit.title} .load=${this.#load} .columns=${this.#columns()} .key=${(one: AuditRecord) => one.id} .empty=${audit.empty}></console-table>
      </div>`;
  }

  #columns(): Column<AuditRecord>[] {
    const { words: { audit }, language: lang } = this;
    return [
      { label: audit.at, cell: ({ at }) => html`<span class="nowrap number">${when(lang, at)}</span>` },
      { label: audit.actor, cell: ({ actor }) => html`<span class="strong">${actor}</span>` },
      { label: audit.action, cell: ({ action }) => html`<span class="mono">${action}</span>` },
      { label: audit.target, cell: ({ target }) => html`<span class="mono">${target}</span>` },
      { label: audit.outcome, cell: ({ outcome }) => html`<span class="tag ${outcome === "OK" ? "green" : "red"}">${outcome}</span>` },
      { label: audit.details, cell: ({ details }) => html`<span class="mono muted">${details && Object.keys(details).length ? JSON.stringify(details) : ""}</span>`, wide: true },
    ];
  }
}
