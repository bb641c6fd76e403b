/** `<console-connections>`: who is connected where, and the way to send them away. */
import { css, html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { look } from "../../components/src/look";
import { ConsoleElement, submitted } from "../base";
import { bytes, when } from "../format";
import type { ConsoleKick, Whom } from "../kick";
import { shared } from "../look";
import type { Column, ConsoleTable } from "../table";
import type { Connection, Page } from "../types";

const SHOWN_CHANNELS = 3;

export class ConsoleConnections extends ConsoleElement {
  static override properties: PropertyDeclarations = { given: { attribute: false } };
  static override styles = [look, shared, css`
    .form select { width: auto; }
  `];
  /** `user` or `job`: whose connections are shown. */
  declare given: URLSearchParams;
  #load: (cursor: string | undefined) => Promise<Page<Connection>> = () => Promise.resolve({ items: [], nextCursor: null });

  #missing: string[] = [];

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("given")) return;
    const filter = this.#filter();
    this.#load = async (cursor) => {
      const page = await this.admin.call("connections", { ...filter, ...(cursor ? { cursor } : {}) });
      this.#missing = page.missing ?? [];
      this.requestUpdate();
      return page;
    };
  }

  #filter(): { userId?: string; jobId?: string } {
    const [userId, jobId] = [this.given.get("user"), this.given.get("job")];
    return userId ? { userId } : jobId ? { jobId } : {};
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has("given")) return;
    const [by, id] = ["by", "id"].map((name) => this.renderRoot.querySelector<HTMLInputElement>(`[name=${name}]`)!);
    by!.value = this.given.get("job") ? "job" : "user";
    id!.value = this.given.get("user") ?? this.given.get("job") ?? "";
  }

  override render(): TemplateResult {
    const { connections: words } = this.words;
    const filter = this.#filter();
    const searched = "userId" in filter || "jobId" in filter;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${words.title}</h1><p>${words.intro}</p></div></div>
        <form class="form" role="search" @submit=${submitted(({ by, id }) => (location.hash = `#/connections${id ? `?${new URLSearchParams({ [by!]: id })}` : ""}`))}>
          <label class="field"><span>${words.by}</span><select name="by"><option value="user">${words.byUser}</option><option value="job">${words.byJob}</option></select></label>
          <label class="field grow"><span>${words.id}</span><input name="id" maxlength="128" placeholder=${words.idHint} autocomplete="off" spellcheck="false" /></label>
          <button class="button">${words.search}</button>
          ${searched ? html`
            <a class="button" href="#/connections">${words.clear}</a>
            <button type="button" class="button quiet-danger" @click=${() => this.#kick(filter)}>${words.kickAll}</button>` : nothing}
        </form>
        ${this.#missing.length ? html`<p role="status" class="muted">${words.missing(this.#missing)}</p>` : nothing}
        <console-table .label=${words.title} .load=${this.#load} .columns=${this.#columns()} .key=${(one: Connection) => one.sid}
          .empty=${searched ? words.emptySearch : words.empty} .actions=${(one: Connection) => this.#actions(one)}></console-table>
        <console-kick @kicked=${() => this.renderRoot.querySelector<ConsoleTable>("console-table")!.refresh()}></console-kick>
      </div>`;
  }

  #kick(whom: Whom): void {
    void this.renderRoot.querySelector<ConsoleKick>("console-kick")!.open(whom);
  }

  #actions({ sid, userId }: Connection): TemplateResult {
    const { connections: words } = this.words;
    return html`
      <a class="button tiny" href=${`#/tail?user=${encodeURIComponent(userId)}`} aria-label=${`${words.tail} ${userId}`}>${words.tail}</a>
      <button class="button tiny quiet-danger" aria-label=${words.kickWhom(userId)} @click=${() => this.#kick({ sid, userId })}>${words.kick}</button>`;
  }

  #columns(): Column<Connection>[] {
    const { words: { connections: words }, language: lang } = this;
    return [
      { label: words.user, cell: ({ userId, sid }) => html`<a href=${`#/connections?user=${encodeURIComponent(userId)}`}>${userId}</a><br /><span class="mono muted">${sid}</span>` },
      { label: words.door, cell: ({ door }) => html`<span class="tag ${{ SOCKETIO: "blue", WEBSOCKET: "purple", SSE: "yellow" }[door]}">${{ SOCKETIO: "Socket.IO", WEBSOCKET: "WebSocket", SSE: "SSE" }[door]}</span>` },
      { label: words.channels, cell: ({ channels }) => this.#channels(channels), wide: true },
      { label: words.since, cell: ({ connectedAt }) => html`<span class="nowrap number">${when(lang, connectedAt)}</span>` },
      { label: words.node, cell: ({ node, address }) => html`<span class="mono keep">${node}</span><br /><span class="mono muted keep" title=${words.address}>${address}</span>` },
      { label: words.queued, cell: ({ outboxBytes }) => html`<span class="nowrap">${bytes(lang, outboxBytes)}</span>`, number: true },
    ];
  }

  #channels(channels: string[]): TemplateResult {
    const rest = channels.length - SHOWN_CHANNELS;
    return html`<span class="mono" title=${rest > 0 ? channels.join("\n") : nothing}>${channels.slice(0, SHOWN_CHANNELS).join(", ")}</span>
      ${rest > 0 ? html`<span class="muted small-text">${this.words.connections.more(rest)}</span>` : nothing}`;
  }
}
