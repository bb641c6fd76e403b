/** `<console-login>`: asks for the token of an administrator. */
import { css, html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import { icon } from "../components/src/icons";
import { look } from "../components/src/look";
import { ConsoleElement, submitted } from "./base";
import { shared } from "./look";
import { session, signIn } from "./session";

export class ConsoleLogin extends ConsoleElement {
  static override properties: PropertyDeclarations = { renewing: { type: Boolean } };
  static override styles = [look, shared, css`
    :host { display: grid; place-items: center; padding: 24px 12px; min-height: 70vh; }
    .card { width: min(420px, 100%); padding: 28px 28px 24px; }
    h1 { font-size: 24px; }
    code { display: block; padding: 9px 12px; border-radius: 8px; background: var(--_well); white-space: pre-wrap; }
    .button { min-height: 40px; }
    input { min-height: 40px !important; }
  `];
  declare renewing: boolean;
  #missing = false;

  protected override follow(): (() => void)[] {
    return [this.redraw(session)];
  }

  override firstUpdated(): void {
    this.renderRoot.querySelector("input")?.focus();
  }

  override render(): TemplateResult {
    const { login, errors } = this.words;
    const { busy, error } = session.get();
    const problem = this.#missing ? login.empty : error && (errors[error.code] ?? `${error.code}: ${error.message}`);
    return html`
      <form class="card stack" novalidate @submit=${submitted(({ token }) => this.#submit(token ?? ""))}>
        <div><h1>${login.title}</h1><p class="muted">${login.intro}</p></div>
        <div class="field">
          <label for="token">${login.token}</label>
          <input id="token" name="token" type="password" autocomplete="off" spellcheck="false" aria-invalid=${problem ? "true" : nothing} aria-describedby="problem" />
        </div>
        <div id="problem" role="alert">${problem ? html`<div class="problem">${icon("warning")}<span>${problem}</span></div>` : nothing}</div>
        <button class="button primary" ?disabled=${busy}>${busy ? html`${icon("spinner")}${login.busy}` : login.submit}</button>
        <div class="hint stack">${login.how}<code class="mono">python -m hub token --sub you --role admin</code></div>
      </form>`;
  }

  #submit(token: string): void {
    this.#missing = !token;
    this.requestUpdate();
    if (token) signIn(token);
    else this.renderRoot.querySelector("input")?.focus();
  }
}
