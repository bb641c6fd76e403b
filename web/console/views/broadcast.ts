/** `<console-broadcast>`: something is said to many, after a look at how it will be seen. */
import { css, html, nothing, type TemplateResult } from "lit";
import type { Severity } from "@notification-hub/client";
import { icon, type IconName } from "../../components/src/icons";
import { look } from "../../components/src/look";
import { ConsoleElement, fields, submitted } from "../base";
import type { ConsoleConfirm } from "../dialog";
import { shared } from "../look";
import type { Audience } from "../types";

const SEVERITIES: [Severity, IconName, string][] = [["INFO", "info", "blue"], ["SUCCESS", "done", "green"], ["WARNING", "warning", "yellow"], ["ERROR", "failed", "red"]];
type To = "all" | "users" | "topic" | "job";

export class ConsoleBroadcast extends ConsoleElement {
  static override styles = [look, shared, css`
    .two { display: grid; grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr); gap: 16px; align-items: start; }
    .choices { display: flex; flex-wrap: wrap; gap: 6px 18px; }
    .choices.many { display: grid; gap: 10px; }
    .preview { position: sticky; top: 16px; }
    .note { display: flex; gap: 12px; padding: 14px 16px; position: relative; overflow: hidden; border-radius: 14px; }
    .note::before { content: ""; position: absolute; inset: 0 auto 0 0; width: 4px; background: var(--_tone); }
    .note > .icon { color: var(--_tone); width: 20px; height: 20px; margin-top: 1px; }
    .note p { overflow-wrap: anywhere; white-space: pre-wrap; }
    .note .text { color: var(--_muted); font-size: 13.5px; }
    .ghost { opacity: 0.75; }
    @media (max-width: 760px) { .two { grid-template-columns: minmax(0, 1fr); } .preview { position: static; } }
  `];
  #to: To = "all";
  #values: Record<string, string> = {};

  override render(): TemplateResult {
    const { broadcast: words } = this.words;
    const choice = (name: string, value: string, text: unknown, checked: boolean, hint?: string): TemplateResult => html`
      <label class="choice"><input type="radio" name=${name} value=${value} ?checked=${checked} /><span>${text}${hint ? html`<small>${hint}</small>` : nothing}</span></label>`;
    const hints = { all: "", users: words.usersHint, topic: words.topicHint, job: words.jobHint };
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${words.title}</h1><p>${words.intro}</p></div></div>
        <div class="two">
          <form class="card pad stack" @input=${this.#typed} @change=${this.#typed} @submit=${submitted((values) => void this.#send(values))}>
            <fieldset><legend>${words.to}</legend><div class="choices">
              ${choice("to", "all", words.all, true)}${choice("to", "users", words.users, false)}${choice("to", "topic", words.topic, false)}${choice("to", "job", words.job, false)}
            </div></fieldset>
            ${this.#to === "all" ? nothing : html`<label class="field"><span>${hints[this.#to]}</span>
              ${this.#to === "users" ? html`<textarea name="whom" required spellcheck="false"></textarea>` : html`<input name="whom" required maxlength="128" autocomplete="off" spellcheck="false" />`}</label>`}
            <label class="field"><span>${words.heading}</span><input name="title" required maxlength="256" autocomplete="off" /></label>
            <label class="field"><span>${words.body}</span><textarea name="body" required maxlength="4096"></textarea></label>
            <fieldset><legend>${words.severity}</legend><div class="choices">${SEVERITIES.map(([value]) => choice("severity", value, words.severities[value], value === "INFO"))}</div></fieldset>
            <fieldset><legend>${words.how}</legend><div class="choices many">
              ${choice("persist", "yes", words.persist, true, words.persistHint)}${choice("persist", "no", words.live, false, words.liveHint)}
            </div></fieldset>
            <div><button class="button primary">${words.send}</button></div>
          </form>
          <div class="stack preview"><h2>${words.preview}</h2>${this.#preview()}</div>
        </div>
        <console-confirm></console-confirm>
      </div>`;
  }

  #preview(): TemplateResult {
    const { broadcast: words } = this.words;
    const { title, body, severity = "INFO" } = this.#values;
    const [, sign, tone] = SEVERITIES.find(([value]) => value === severity)!;
    return html`
      <article class="card note ${tone}" aria-label=${words.preview}>
        ${icon(sign)}
        <div><p class="strong ${title ? "" : "ghost"}">${title || words.previewTitle}</p><p class="text">${body || words.previewBody}</p></div>
      </article>`;
  }

  readonly #typed = (event: Event): void => {
    this.#values = fields(event.currentTarget as HTMLFormElement);
    this.#to = (this.#values.to ?? "all") as To;
    this.requestUpdate();
  };

  #audience({ to, whom = "" }: Record<string, string>): [Audience, string] {
    const { broadcast: words } = this.words;
    if (to === "users") {
      const users = whom.split(/[\s,;]+/).filter(Boolean);
      return [{ users }, words.toUsers(users.length)];
    }
    if (to === "topic") return [{ topic: whom }, words.toTopic(whom)];
    if (to === "job") return [{ jobId: whom }, words.toJob(whom)];
    return ["all", words.toAll];
  }

  async #send(values: Record<string, string>): Promise<void> {
    const { broadcast: words } = this.words;
    const [to, name] = this.#audience(values);
    const persist = values.persist === "yes";
    const { title = "", body = "", severity = "INFO" } = values;
    const question = html`<div class="stack">${words.summary(name, persist)}<p><strong>${title}</strong><br />${body}</p></div>`;
    if (!(await this.renderRoot.querySelector<ConsoleConfirm>("console-confirm")!.ask(words.confirm, question, words.confirmAct, false))) return;
    const done = await this.attempt(async () => {
      const { id, connections, missing } = await this.admin.call("broadcast", { title, body, severity: severity as Severity, to, persist });
      const said = id === null ? words.nobody : persist ? words.stored : words.reached(connections ?? 0);
      return missing ? `${said} ${this.words.connections.missing(missing)}` : said;
    });
    if (!done) return; // what was written is still there
    this.renderRoot.querySelector("form")!.reset();
    [this.#values, this.#to] = [{}, "all"];
    this.requestUpdate();
  }
}
