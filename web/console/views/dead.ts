/** `<console-dead>`: what could not be processed, to be put back or thrown away. */
import { html, type TemplateResult } from "lit";
import { ConsoleElement } from "../base";
import type { ConsoleConfirm } from "../dialog";
import { when } from "../format";
import { note } from "../session";
import type { Column, ConsoleTable } from "../table";
import type { Letter, Page } from "../types";

/** A field of what was published, as text. */
function field(publication: unknown, name: string): string {
  const value = typeof publication === "object" && publication !== null ? (publication as Record<string, unknown>)[name] : undefined;
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

export class ConsoleDead extends ConsoleElement {
  readonly #load = (cursor: string | undefined): Promise<Page<Letter>> => this.admin.call("dead", cursor ? { cursor } : {});
  #selected: string[] = [];

  get #table(): ConsoleTable {
    return this.renderRoot.querySelector<ConsoleTable>("console-table")!;
  }

  override render(): TemplateResult {
    const { dead, table } = this.words;
    const none = !this.#selected.length;
    return html`
      <div class="view">
        <div class="head">
          <div><h1 tabindex="-1">${dead.title}</h1><p>${dead.intro}</p></div>
          <div class="row" role="group" aria-label=${table.actions}>
            <span class="muted number" role="status">${none ? "" : table.selected(this.#selected.length)}</span>
            <button class="button" ?disabled=${none} @click=${() => this.#replay(this.#selected)}>${dead.replay}</button>
            <button class="button quiet-danger" ?disabled=${none} @click=${() => this.#drop(this.#selected)}>${dead.drop}</button>
          </div>
        </div>
        <console-table selectable .label=${dead.title} .load=${this.#load} .columns=${this.#columns()} .key=${(letter: Letter) => letter.id} .empty=${dead.empty}
          .actions=${(letter: Letter) => this.#actions(letter)} .detail=${({ publication }: Letter) => html`<div class="small-text muted">${dead.publication}</div><pre>${typeof publication === "string" ? publication : JSON.stringify(publication, null, 2)}</pre>`}
          @selected=${() => { this.#selected = this.#table.selection; this.requestUpdate(); }}></console-table>
        <console-confirm></console-confirm>
      </div>`;
  }

  #actions({ id }: Letter): TemplateResult {
    const { dead } = this.words;
    return html`
      <button class="button tiny" aria-label=${dead.replayIt(id)} @click=${() => this.#replay([id])}>${dead.replay}</button>
      <button class="button tiny quiet-danger" aria-label=${dead.dropIt(id)} @click=${() => this.#drop([id])}>${dead.drop}</button>`;
  }

  async #replay(ids: string[]): Promise<void> {
    await this.attempt(async () => {
      const { replayed, missing } = await this.admin.call("dead:replay", { ids });
      this.#gone(missing);
      return this.words.dead.replayed(replayed);
    });
    await this.#table.refresh();
  }

  async #drop(ids: string[]): Promise<void> {
    const { dead } = this.words;
    if (!(await this.renderRoot.querySelector<ConsoleConfirm>("console-confirm")!.ask(dead.sure(ids.length), dead.sureText, dead.drop))) return;
    await this.attempt(async () => {
      const { dropped, missing } = await this.admin.call("dead:drop", { ids });
      this.#gone(missing);
      return dead.dropped(dropped);
    });
    await this.#table.refresh();
  }

  #gone(missing: string[]): void {
    if (missing.length) note(this.words.dead.missing(missing.length), "red");
  }

  #columns(): Column<Letter>[] {
    const { words: { dead }, language: lang } = this;
    return [
      { label: dead.at, cell: ({ at }) => html`<span class="nowrap number">${when(lang, at)}</span>` },
      { label: dead.reason, cell: ({ reason, publication }) => html`<span class="strong">${reason}</span><br /><span class="mono muted">${[field(publication, "kind"), field(publication, "type")].filter(Boolean).join(" · ")}</span>`, wide: true },
      { label: dead.about, cell: ({ publication }) => html`<span class="mono">${field(publication, "jobId") || field(publication, "channel") || field(publication, "to")}</span>` },
      { label: dead.partition, cell: ({ id }) => html`<span class="mono keep">${id}</span>` },
    ];
  }
}
