/** `<console-trace>`: the way of one event, from the worker to the sockets. */
import { css, html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { icon } from "../../components/src/icons";
import { look } from "../../components/src/look";
import { AdminError } from "../admin";
import { ConsoleElement, submitted } from "../base";
import { exact, ms } from "../format";
import { shared } from "../look";
import type { Column } from "../table";
import type { Trace } from "../types";

type Write = Trace["writes"][number];
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export class ConsoleTrace extends ConsoleElement {
  static override properties: PropertyDeclarations = { given: { attribute: false } };
  static override styles = [look, shared, css`
    .facts { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 3px 16px; }
    .facts dt { color: var(--_muted); }
    .way { list-style: none; display: grid; }
    .way li { display: grid; grid-template-columns: 18px minmax(90px, 170px) minmax(0, 1fr); gap: 4px 12px; padding: 7px 0; position: relative; align-items: baseline; }
    .way li::before { content: ""; width: 11px; height: 11px; border-radius: 50%; border: 2px solid var(--_muted); justify-self: center; background: var(--_surface); z-index: 1; align-self: center; box-sizing: border-box; }
    .way li.done::before { background: var(--_green); border-color: var(--_green); }
    .way li:not(:last-child)::after { content: ""; position: absolute; left: 8px; top: 50%; height: 100%; width: 2px; background: var(--_line); }
    .way li:not(.done) { color: var(--_muted); }
  `];
  /** `id`: what is looked for. */
  declare given: URLSearchParams;
  #trace: Trace | null = null;
  #error = "";
  #busy = false;

  protected override willUpdate(changed: PropertyValues): void {
    if (changed.has("given")) void this.#find(this.given.get("id") ?? "");
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("given")) this.renderRoot.querySelector("input")!.value = this.given.get("id") ?? "";
  }

  async #find(id: string): Promise<void> {
    const { trace: words } = this.words;
    [this.#trace, this.#error, this.#busy] = [null, id && !UUID.test(id) ? words.badId : "", false];
    if (!id || this.#error) return;
    this.#busy = true;
    const { given } = this;
    let found: Trace | null = null;
    let problem = "";
    try {
      found = await this.admin.call("trace", { eventId: id.toLowerCase() });
    } catch (error) {
      problem = error instanceof AdminError && error.code === "NOT_FOUND" ? words.missing : this.said(error);
    }
    if (given !== this.given) return; // another one is looked for
    [this.#trace, this.#error, this.#busy] = [found, problem, false];
    this.requestUpdate();
  }

  #ask(id: string): void {
    if (id === this.given.get("id")) void this.#find(id).finally(() => this.requestUpdate());
    else location.hash = `#/trace?${new URLSearchParams({ id })}`;
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const { trace: words, table } = this.words;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${words.title}</h1><p>${words.intro}</p></div></div>
        <form class="form" role="search" @submit=${submitted(({ id }) => this.#ask(id ?? ""))}>
          <label class="field grow"><span>${words.id}</span><input name="id" class="mono" required maxlength="36" autocomplete="off" spellcheck="false" placeholder="0197a1b2-…" /></label>
          <button class="button primary">${words.find}</button>
        </form>
        <div aria-live="polite" aria-busy=${this.#busy}>
          ${this.#error ? html`<div class="problem" role="alert">${icon("warning")}<span>${this.#error}</span></div>`
            : this.#busy ? html`<div class="card blank">${icon("spinner")}<p>${table.loading}</p></div>`
            : this.#trace ? this.#way(this.#trace)
            : html`<div class="card blank">${icon("inbox")}<p>${words.empty}</p></div>`}
        </div>
      </div>`;
  }

  #way(trace: Trace): TemplateResult {
    const { words: { trace: words }, language: lang } = this;
    const since = (at: string | null): unknown => (at && trace.acceptedAt && at !== trace.acceptedAt ? html` <span class="muted nowrap">+${ms(lang, Math.max(0, Date.parse(at) - Date.parse(trace.acceptedAt)))}</span>` : nothing);
    const time = (at: string | null, missing: string): unknown => (at ? html`<span class="number">${exact(lang, at)}</span>${since(at)}` : missing);
    const step = (label: string, done: boolean, what: unknown): TemplateResult => html`<li class=${done ? "done" : ""}><span class="strong">${label}</span><span>${what}</span></li>`;
    const tone = { STORED: "green", WAITING: "yellow", DEAD: "red" }[trace.state];
    const mine = trace.channel?.startsWith("user:") && trace.type === "NOTIFICATION_CREATED";
    const stored = trace.state === "STORED";
    return html`
      <div class="stack">
        <section class="card pad stack">
          <div class="row"><span class="tag ${tone}">${words.states[trace.state]}</span><span class="mono">${trace.id}</span></div>
          <dl class="facts">
            ${trace.type ? html`<dt>${words.type}</dt><dd class="mono">${trace.type}</dd>` : nothing}
            ${trace.channel ? html`<dt>${words.channel}</dt><dd class="mono">${trace.channel}</dd>` : nothing}
          </dl>
          ${trace.dead ? html`<p class="problem"><span>${trace.dead.reason}<br /><a href="#/dead">${words.toDead}</a></span></p>` : nothing}
          <ol class="way">
            ${step(words.accepted, Boolean(trace.acceptedAt), html`${time(trace.acceptedAt, words.notNoted)}${trace.partition === undefined ? nothing : ` ${words.partition(trace.partition)}`}`)}
            ${step(words.stored, stored, stored ? time(trace.storedAt, words.notNoted) : words.notYet)}
            ${trace.nodes.length ? trace.nodes.map(({ id, routedAt }) => step(words.routed, true, html`<span class="mono">${id}</span> ${time(routedAt, "")}`)) : step(words.routed, false, words.notNoted)}
            ${step(words.written, trace.writes.length > 0, trace.writes.length ? html`<span class="number">${trace.writes.length} · ${time(trace.writes[0]!.writtenAt, "")}</span>` : words.notNoted)}
            ${mine ? html`${step(words.seen, Boolean(trace.seenAt), time(trace.seenAt, words.notYet))}${step(words.read, Boolean(trace.readAt), time(trace.readAt, words.notYet))}` : nothing}
          </ol>
          <p class="hint">${words.sample}</p>
        </section>
        <h2>${words.writes}</h2>
        <console-table .label=${words.writes} .items=${trace.writes} .columns=${this.#columns(trace)} .key=${({ sid, writtenAt }: Write) => `${sid} ${writtenAt}`} .empty=${words.noWrites}></console-table>
      </div>`;
  }

  #columns(trace: Trace): Column<Write>[] {
    const { words: { trace: words }, language: lang } = this;
    return [
      { label: words.user, cell: ({ userId }) => html`<a href=${`#/connections?user=${encodeURIComponent(userId)}`}>${userId}</a>` },
      { label: words.door, cell: ({ door }) => door },
      { label: words.connection, cell: ({ sid }) => html`<span class="mono">${sid}</span>`, wide: true },
      { label: words.at, cell: ({ writtenAt }) => html`<span class="number nowrap">${writtenAt === null ? words.notYet : exact(lang, writtenAt)}</span>` },
      { label: words.after, cell: ({ writtenAt }) => (trace.acceptedAt && writtenAt ? ms(lang, Math.max(0, Date.parse(writtenAt) - Date.parse(trace.acceptedAt))) : ""), number: true },
    ];
  }
}
