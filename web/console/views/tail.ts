/** `<console-tail>`: what happens to the events of a user or a job, while it happens. */
import { css, html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { icon } from "../../components/src/icons";
import { look } from "../../components/src/look";
import { AdminError } from "../admin";
import { ConsoleElement, submitted } from "../base";
import { exact } from "../format";
import { shared } from "../look";
import type { Column } from "../table";
import type { TailStep, Target } from "../types";

type By = "user" | "job" | "sid";
const KEPT = 1000;
const TONES = { STORED: "purple", ROUTED: "blue", WRITTEN: "green" } as const;
interface Numbered extends TailStep {
  number: number;
}

export class ConsoleTail extends ConsoleElement {
  static override properties: PropertyDeclarations = { given: { attribute: false } };
  static override styles = [look, shared, css`
    .form select { width: auto; }
    .live { display: inline-block; width: 8px; height: 8px; border-radius: 50%; background: var(--_green); animation: breathe 1.2s ease-in-out infinite alternate; }
    @keyframes breathe { to { opacity: 0.3; } }
  `];
  /** `user`, `job` or `sid`: what is watched from the start. */
  declare given: URLSearchParams;
  #watched: { by: By; id: string } | null = null;
  #steps: Numbered[] = []; // newest first
  #held: Numbered[] | null = null; // while paused: what came since
  #count = 0;
  #live = false; // the hub has taken it on
  #error: unknown;

  protected override follow(): (() => void)[] {
    const { admin } = this;
    let online = true;
    const end = admin.state.subscribe(({ status }) => {
      const back = !online && status === "online";
      online = status === "online";
      if (!online) this.#live = false;
      if (back && this.#watched) void this.#tell(this.#watched); // the hub has forgotten it
    });
    const stop = (): void => {
      if (this.#watched) admin.call("untail", {}).catch(() => {}); // ends with the connection
      this.#watched = null;
    };
    return [end, admin.onTail((step) => this.#add(step)), stop];
  }

  protected override willUpdate(changed: PropertyValues): void {
    if (!changed.has("given")) return;
    const by = (["user", "job", "sid"] as const).find((name) => this.given.get(name));
    if (by) void this.#begin({ by, id: this.given.get(by)! });
  }

  protected override updated(changed: PropertyValues): void {
    if (!changed.has("given") || !this.#watched) return;
    this.renderRoot.querySelector("select")!.value = this.#watched.by;
    this.renderRoot.querySelector("input")!.value = this.#watched.id;
  }

  #add(step: TailStep): void {
    const one = { ...step, number: ++this.#count };
    if (this.#held) this.#held = [one, ...this.#held].slice(0, KEPT);
    else this.#steps = [one, ...this.#steps].slice(0, KEPT);
    this.requestUpdate();
  }

  async #begin(what: { by: By; id: string }): Promise<void> {
    const { admin } = this;
    if (this.#watched) await admin.call("untail", {}).catch(() => {});
    [this.#watched, this.#steps, this.#held] = [what, [], null];
    await this.#tell(what);
  }

  async #tell({ by, id }: { by: By; id: string }): Promise<void> {
    [this.#error, this.#live] = [undefined, false];
    this.requestUpdate();
    const target = { user: { userId: id }, job: { jobId: id }, sid: { sid: id } }[by] as Target;
    try {
      await this.admin.call("tail", target);
      this.#live = this.#watched?.id === id;
    } catch (error) {
      if (!(error instanceof AdminError && error.code === "OFFLINE")) this.#watched = null; // else: when it is back
      this.#error = error;
    }
    this.requestUpdate();
  }

  async #end(): Promise<void> {
    this.#watched = null;
    this.requestUpdate();
    await this.admin.call("untail", {}).catch(() => {});
  }

  #pause(): void {
    if (this.#held) [this.#steps, this.#held] = [[...this.#held, ...this.#steps].slice(0, KEPT), null];
    else this.#held = [];
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const { tail, table } = this.words;
    const watched = this.#watched;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${tail.title}</h1><p>${tail.intro}</p></div></div>
        <form class="form" @submit=${submitted(({ by, id }) => void this.#begin({ by: by as By, id: id! }))}>
          <label class="field"><span>${tail.by}</span><select name="by"><option value="user">${tail.byUser}</option><option value="job">${tail.byJob}</option><option value="sid">${tail.bySid}</option></select></label>
          <label class="field grow"><span>${tail.id}</span><input name="id" required maxlength="128" autocomplete="off" spellcheck="false" /></label>
          <button class="button primary">${tail.begin}</button>
          <button type="button" class="button" ?disabled=${!watched} @click=${() => this.#end()}>${tail.end}</button>
        </form>
        ${this.#error === undefined ? nothing : html`<div class="problem" role="alert">${icon("warning")}<span>${this.said(this.#error)}</span></div>`}
        <div class="row">
          <p role="status" class="muted">${!watched ? tail.idle : this.#live ? html`<span class="live" aria-hidden="true"></span> ${tail.watching(watched.id)}` : table.loading}${watched?.by === "sid" ? ` ${tail.sidHint}` : ""}</p>
          ${watched ? html`<button class="button tiny" aria-pressed=${Boolean(this.#held)} @click=${() => this.#pause()}>${this.#held ? tail.resume : tail.pause}</button>` : nothing}
          ${this.#steps.length ? html`<button class="button tiny" @click=${() => { this.#steps = []; this.requestUpdate(); }}>${tail.clear}</button>` : nothing}
          ${this.#held?.length ? html`<span class="muted number">${tail.paused(this.#held.length)}</span>` : nothing}
        </div>
        <console-table .label=${tail.title} .items=${this.#steps} .columns=${this.#columns()} .key=${(step: Numbered) => String(step.number)}
          .empty=${watched ? tail.waiting : tail.idle}></console-table>
      </div>`;
  }

  #columns(): Column<Numbered>[] {
    const { words: { tail }, language: lang } = this;
    return [
      { label: tail.at, cell: ({ at }) => html`<span class="number nowrap">${at === null ? "–" : exact(lang, at)}</span>` },
      { label: tail.step, cell: ({ step }) => html`<span class="tag ${TONES[step]}">${tail.steps[step]}</span>` },
      { label: tail.type, cell: ({ type }) => html`<span class="mono">${type}</span>`, wide: true },
      { label: tail.where, cell: ({ node, userId, door, sid }) => html`<span class="mono keep">${node}</span>${userId ? html`<br /><span class="muted small-text">${userId} · ${door} · ${sid}</span>` : nothing}` },
      { label: tail.event, cell: ({ id }) => html`<a class="mono any" href=${`#/trace?id=${id}`} aria-label=${`${tail.trace} ${id}`}>${id}</a>` },
    ];
  }
}
