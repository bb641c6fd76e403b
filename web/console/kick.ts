/** `<console-kick>`: asks whom to send away, for how long, and what they are told; then does it. */
import { css, html, nothing, type TemplateResult } from "lit";
import { look } from "../components/src/look";
import { ConsoleElement, submitted } from "./base";
import type { ConsoleDialog } from "./dialog";
import { shared } from "./look";
import { note } from "./session";
import type { Target } from "./types";

/** Whom it may be about; at least one is given. */
export interface Whom {
  sid?: string;
  userId?: string;
  jobId?: string;
  /** Seconds that are chosen at first. */
  ban?: number;
}

/** Tells that somebody was kicked. */
export const KICKED = "kicked";

export class ConsoleKick extends ConsoleElement {
  static override styles = [look, shared, css`
    :host { display: contents; }
    .buttons { justify-content: end; }
  `];
  #whom: Whom = {};
  #ban = 0;
  #busy = false;
  #error: unknown;

  async open(whom: Whom): Promise<void> {
    [this.#whom, this.#ban, this.#error] = [whom, whom.ban ?? 0, undefined];
    this.requestUpdate();
    await this.updateComplete;
    const form = this.renderRoot.querySelector("form")!;
    form.reset();
    form.querySelector("select")!.value = String(this.#ban);
    await this.#dialog.open();
  }

  get #dialog(): ConsoleDialog {
    return this.renderRoot.querySelector("console-dialog")!;
  }

  async #kick(values: Record<string, string>): Promise<void> {
    const banSeconds = Number(values.ban);
    const target = this.#target(values.whom, banSeconds);
    this.#busy = true;
    this.requestUpdate();
    try {
      const done = await this.admin.call("kick", { ...target, ...(values.message ? { message: values.message } : {}), ...(banSeconds ? { banSeconds } : {}) });
      const { connections } = this.words;
      note([connections.ended(done.connections), banSeconds && done.users.length ? connections.banned(done.users.join(", ")) : "", done.missing ? connections.missing(done.missing) : ""].join(" ").trim());
      this.#error = undefined;
      this.#dialog.close();
      this.dispatchEvent(new Event(KICKED));
    } catch (error) {
      this.#error = error;
    }
    this.#busy = false;
    this.requestUpdate();
  }

  /** A ban is of a user, whatever connection it was begun from. */
  #chosen(ban: number): void {
    this.#ban = ban;
    const all = this.renderRoot.querySelector<HTMLInputElement>('input[value="user"]');
    if (ban && all) all.checked = true;
    this.requestUpdate();
  }

  #target(chosen: string | undefined, banSeconds: number): Target {
    const { sid, userId, jobId } = this.#whom;
    if (jobId) return { jobId };
    if (sid && chosen !== "user" && !banSeconds) return { sid };
    return { userId: userId! };
  }

  override render(): TemplateResult {
    const { kick, cancel } = this.words;
    const { sid, userId, jobId } = this.#whom;
    return html`
      <console-dialog heading=${kick.title(userId ?? jobId ?? sid ?? "")}>
        <form class="stack" @submit=${submitted((values) => void this.#kick(values))}>
          <p class="muted">${kick.intro}</p>
          ${sid && userId ? html`
            <fieldset><legend>${kick.whom}</legend>
              <label class="choice"><input type="radio" name="whom" value="sid" checked ?disabled=${this.#ban > 0} />${kick.one}</label>
              <label class="choice"><input type="radio" name="whom" value="user" />${kick.all}</label>
            </fieldset>` : nothing}
          ${jobId ? html`<p class="strong">${kick.ofJob}</p>` : nothing}
          <label class="field"><span>${kick.ban}</span>
            <select name="ban" @change=${(event: Event) => this.#chosen(Number((event.target as HTMLSelectElement).value))}>
              ${Object.entries(kick.bans).map(([seconds, label]) => html`<option value=${seconds}>${label}</option>`)}
            </select>
          </label>
          ${this.#ban ? html`<p class="hint">${kick.banHint}</p>` : nothing}
          <label class="field"><span>${kick.message}</span><input name="message" maxlength="500" placeholder=${kick.messageHint} /></label>
          ${this.#error === undefined ? nothing : html`<p class="problem" role="alert">${this.said(this.#error)}</p>`}
          <div class="row buttons">
            <button type="button" class="button" data-first @click=${() => this.#dialog.close()}>${cancel}</button>
            <button class="button danger" ?disabled=${this.#busy}>${this.#ban ? kick.actBan : kick.act}</button>
          </div>
        </form>
      </console-dialog>`;
  }
}
