/** `<console-table>`: rows by pages, and what there is to say when there are none: that they are
 * loading, that there is nothing, or why they cannot be shown. On a narrow screen each row is a card. */
import { html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { icon } from "../components/src/icons";
import { look } from "../components/src/look";
import { ConsoleElement } from "./base";
import { clock } from "./format";
import { shared } from "./look";
import { tableStyles } from "./table.css";
import type { Page } from "./types";

export interface Column<Item> {
  label: string;
  cell(item: Item): unknown;
  /** Takes what room is left. */
  wide?: boolean;
  number?: boolean;
}

const PER_PAGE = 50;

export class ConsoleTable<Item = unknown> extends ConsoleElement {
  static override properties: PropertyDeclarations = {
    label: { type: String }, columns: { attribute: false }, load: { attribute: false }, items: { attribute: false },
    key: { attribute: false }, name: { attribute: false }, actions: { attribute: false }, detail: { attribute: false },
    empty: { type: String }, selectable: { type: Boolean },
  };
  static override styles = [look, shared, tableStyles];
  /** What the rows are. */
  declare label: string;
  declare columns: Column<Item>[];
  /** Gives a page; called anew whenever it is another function. */
  declare load: ((cursor: string | undefined) => Promise<Page<Item>>) | undefined;
  /** In place of `load`: all rows, as they are now; `null` while that is not known. */
  declare items: readonly Item[] | null | undefined;
  declare key: (item: Item) => string;
  /** What a row's buttons call it; default: its key. */
  declare name: ((item: Item) => string) | undefined;
  declare actions: ((item: Item) => unknown) | undefined;
  /** What unfolds below a row. */
  declare detail: ((item: Item) => unknown) | undefined;
  declare empty: string;
  declare selectable: boolean;

  #rows: readonly Item[] | null = null;
  #error: unknown;
  #loading = false;
  #asked = 0;
  #at: number | null = null;
  #cursors: (string | undefined)[] = [undefined]; // of the pages up to this one
  #next: string | null = null;
  #selected = new Set<string>();
  #open = new Set<string>();

  constructor() {
    super();
    this.label = "";
    this.columns = [];
    this.key = String;
    this.empty = "";
    this.selectable = false;
  }

  /** The keys of the selected rows of this page. */
  get selection(): string[] {
    return this.#shown().map((item) => this.key(item)).filter((key) => this.#selected.has(key));
  }

  /** Asks for this page again. */
  async refresh(): Promise<void> {
    const { load } = this;
    if (!load) return;
    const asked = ++this.#asked;
    const had = this.shadowRoot?.activeElement;
    this.#loading = true;
    this.requestUpdate();
    try {
      const { items, nextCursor } = await load(this.#cursors.at(-1));
      if (asked !== this.#asked) return;
      [this.#rows, this.#next, this.#error, this.#at] = [items, nextCursor, undefined, Date.now()];
      const keys = new Set(items.map((item) => this.key(item)));
      this.#selected = new Set([...this.#selected].filter((key) => keys.has(key)));
    } catch (error) {
      if (asked !== this.#asked) return;
      [this.#rows, this.#error] = [null, error];
    }
    this.#loading = false;
    this.requestUpdate();
    this.#selects();
    await this.updateComplete;
    if (had && !had.isConnected) this.renderRoot.querySelector<HTMLElement>("section")?.focus(); // its row is gone
  }

  /** What could not be had while there was no connection is asked for when it is back. */
  protected override follow(): (() => void)[] {
    let online = true;
    return [this.admin.state.subscribe(({ status }) => {
      const back = !online && status === "online";
      online = status === "online";
      if (back && this.#error !== undefined) void this.refresh();
    })];
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("load")) return;
    [this.#rows, this.#error, this.#next, this.#cursors] = [null, undefined, null, [undefined]];
    this.#selected.clear();
    this.#open.clear();
    void this.refresh();
  }

  #turn(cursors: (string | undefined)[]): void {
    this.#cursors = cursors;
    this.#selected.clear();
    if (this.load) void this.refresh();
    else this.requestUpdate();
    this.#selects();
  }

  #selects(): void {
    this.dispatchEvent(new Event("selected"));
  }

  #select(keys: string[], on: boolean): void {
    for (const key of keys) {
      if (on) this.#selected.add(key);
      else this.#selected.delete(key);
    }
    this.requestUpdate();
    this.#selects();
  }

  #shown(): readonly Item[] {
    if (this.load) return this.#rows ?? [];
    const from = Number(this.#cursors.at(-1) ?? 0);
    return (this.items ?? []).slice(from, from + PER_PAGE);
  }

  #following(): string | null {
    if (this.load) return this.#next;
    const to = Number(this.#cursors.at(-1) ?? 0) + PER_PAGE;
    return to < (this.items?.length ?? 0) ? String(to) : null;
  }

  override render(): TemplateResult {
    const { words } = this;
    const rows = this.#shown();
    const known = this.load ? this.#rows !== null : Boolean(this.items);
    const busy = this.load ? this.#loading : !this.items;
    return html`
      <section class="card" tabindex="-1" aria-label=${this.label} aria-busy=${busy}>
        ${this.#error !== undefined ? this.#problem() : !known ? this.#bones() : rows.length ? this.#table(rows, busy) : html`<div class="blank">${icon("inbox")}<p>${this.empty}</p></div>`}
        <footer>
          <p role="status" class="muted small-text number">
            ${busy ? words.table.loading : known ? html`${words.table.page(this.#cursors.length, rows.length)}${this.#at ? html` · ${words.table.asOf(clock(this.language, this.#at))}` : nothing}` : nothing}
          </p>
          ${this.load ? html`<button class="button tiny" ?disabled=${busy} @click=${() => this.refresh()}>${icon(busy ? "spinner" : "retry")}${words.table.refresh}</button>` : nothing}
          <span class="pager">
            <button class="button tiny" aria-label=${words.table.previous} ?disabled=${this.#cursors.length < 2} @click=${() => this.#turn(this.#cursors.slice(0, -1))}>‹</button>
            <button class="button tiny" aria-label=${words.table.next} ?disabled=${!this.#following()} @click=${() => this.#turn([...this.#cursors, this.#following()!])}>›</button>
          </span>
        </footer>
      </section>`;
  }

  #problem(): TemplateResult {
    const { words } = this;
    return html`<div class="blank" role="alert">${icon("warning")}<p>${words.table.error}<br />${this.said(this.#error)}</p>
      <button class="button" @click=${() => this.refresh()}>${words.retry}</button></div>`;
  }

  #bones(): TemplateResult {
    return html`<div class="bones">${[1, 2, 3, 4].map(() => html`<div class="bone"></div>`)}</div>`;
  }

  #table(rows: readonly Item[], busy: boolean): TemplateResult {
    const { words, columns } = this;
    const keys = rows.map((item) => this.key(item));
    const all = keys.every((key) => this.#selected.has(key));
    return html`
      <table role="table" aria-label=${this.label} class=${busy ? "busy" : ""}>
        <thead role="rowgroup"><tr role="row">
          ${this.selectable ? html`<th role="columnheader" class="check"><input type="checkbox" aria-label=${words.table.selectAll} .checked=${all}
            @change=${(event: Event) => this.#select(keys, (event.target as HTMLInputElement).checked)} /></th>` : nothing}
          ${columns.map(({ label, wide, number }) => html`<th role="columnheader" scope="col" class="${wide ? "wide" : ""} ${number ? "right" : ""}">${label}</th>`)}
          ${this.actions || this.detail ? html`<th role="columnheader" scope="col"><span class="said">${words.table.actions}</span></th>` : nothing}
        </tr></thead>
        <tbody role="rowgroup">${rows.map((item, index) => this.#row(item, keys[index]!))}</tbody>
      </table>`;
  }

  #row(item: Item, key: string): TemplateResult {
    const { words, columns } = this;
    const name = this.name?.(item) ?? key;
    const open = this.#open.has(key);
    const span = columns.length + Number(this.selectable) + 1;
    return html`
      <tr role="row" data-key=${key}>
        ${this.selectable ? html`<td role="cell" class="check"><input type="checkbox" aria-label=${`${words.table.select}: ${name}`} .checked=${this.#selected.has(key)}
          @change=${(event: Event) => this.#select([key], (event.target as HTMLInputElement).checked)} /></td>` : nothing}
        ${columns.map(({ label, cell, number, wide }) => html`<td role="cell" class="${number ? "right number" : ""} ${wide ? "wide-cell" : ""}"><span class="label" aria-hidden="true">${label}</span><span class="value">${cell(item)}</span></td>`)}
        ${this.actions || this.detail ? html`<td role="cell" class="acts"><div>
          ${this.actions?.(item) ?? nothing}
          ${this.detail ? html`<button class="button tiny" aria-expanded=${open} aria-label=${`${words.table.details}: ${name}`} @click=${() => this.#unfold(key)}>${open ? "–" : "+"}</button>` : nothing}
        </div></td>` : nothing}
      </tr>
      ${open && this.detail ? html`<tr role="row" class="detail"><td role="cell" colspan=${span}>${this.detail(item)}</td></tr>` : nothing}`;
  }

  #unfold(key: string): void {
    if (!this.#open.delete(key)) this.#open.add(key);
    this.requestUpdate();
  }
}
