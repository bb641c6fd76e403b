/** `<console-app>`: the page: the login, or the views around which everything else is. */
import { html, nothing, type TemplateResult } from "lit";
import { icon } from "../components/src/icons";
import { look } from "../components/src/look";
import type { AdminClient } from "./admin";
import { appStyles } from "./app.css";
import { ConsoleElement } from "./base";
import { clock } from "./format";
import { mark, picture, type PictureName } from "./icons";
import { shared } from "./look";
import { claims, isDark, LANGUAGES, notes, session, setLanguage, setTheme, signOut } from "./session";

const VIEWS = {
  overview: () => html`<console-overview></console-overview>`,
  connections: (given: URLSearchParams) => html`<console-connections .given=${given}></console-connections>`,
  access: () => html`<console-access></console-access>`,
  broadcast: () => html`<console-broadcast></console-broadcast>`,
  jobs: () => html`<console-jobs></console-jobs>`,
  trace: (given: URLSearchParams) => html`<console-trace .given=${given}></console-trace>`,
  tail: (given: URLSearchParams) => html`<console-tail .given=${given}></console-tail>`,
  dead: () => html`<console-dead></console-dead>`,
  audit: () => html`<console-audit></console-audit>`,
} satisfies Record<PictureName, (given: URLSearchParams) => TemplateResult>;
type ViewName = keyof typeof VIEWS;

const STRIP_MARGIN = 40; // pixels
const TONES = { connecting: "grey", online: "green", reconnecting: "yellow", ended: "red" };

export class ConsoleApp extends ConsoleElement {
  static override styles = [look, shared, appStyles];
  #view: ViewName = "overview";
  #given = new URLSearchParams();
  #renewing = false;
  #shown: HTMLElement | null = null;
  #endAdmin: () => void = () => {};
  readonly #route = (): void => {
    const [name = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    this.#view = name in VIEWS ? (name as ViewName) : "overview";
    this.#given = new URLSearchParams(query);
    this.requestUpdate();
  };

  protected override follow(): (() => void)[] {
    const routed = (): void => {
      this.#route();
      void this.updateComplete.then(() => this.#focusHeading());
    };
    addEventListener("hashchange", routed);
    this.#route();
    let admin: AdminClient | null | undefined;
    const end = session.subscribe((now) => {
      if (now.admin !== admin) {
        this.#endAdmin();
        this.#endAdmin = now.admin ? this.redraw(now.admin.state) : () => {};
        this.#renewing = false;
        admin = now.admin;
      }
      this.requestUpdate();
    });
    return [() => removeEventListener("hashchange", routed), end, () => this.#endAdmin(), this.redraw(notes)];
  }

  /** Where the keyboard goes on, and what is read aloud, after another view was chosen. */
  async #focusHeading(): Promise<void> {
    const view = this.renderRoot.querySelector<ConsoleElement>("main > *");
    await view?.updateComplete;
    view?.shadowRoot?.querySelector<HTMLElement>("h1")?.focus();
    scrollTo(0, 0);
  }

  /** On a narrow screen the views are a strip: the one that is shown is to be seen there. */
  protected override updated(): void {
    const shown = this.renderRoot.querySelector<HTMLElement>("nav a[aria-current]");
    if (!shown || shown === this.#shown) return;
    this.#shown = shown;
    shown.parentElement!.scrollLeft = shown.offsetLeft - STRIP_MARGIN;
  }

  override render(): TemplateResult {
    const { words } = this;
    const { admin } = session.get();
    document.title = `${admin ? words[this.#view].title : words.login.title} · ${words.brand}`;
    return html`
      <a class="skip" href="#main" @click=${(event: Event) => { event.preventDefault(); void this.#focusHeading(); }}>${words.skip}</a>
      ${this.#top()}
      ${admin ? html`<div class="body">${this.#navigation()}<main id="main">${this.#expiry()}${this.#renewing ? nothing : VIEWS[this.#view](this.#given)}${this.#renewing ? html`<console-login></console-login>` : nothing}</main></div>`
        : html`<main id="main"><console-login></console-login></main>`}
      <div class="notes" role="region" aria-label=${words.results} aria-live="polite">
        ${notes.get().map(({ text, tone }) => html`<p class=${tone}>${icon(tone === "red" ? "warning" : "done")}<span>${text}</span></p>`)}
      </div>`;
  }

  #top(): TemplateResult {
    const { words } = this;
    const { admin } = session.get();
    const status = admin?.state.get().status;
    return html`
      <header>
        <a class="brand" href="#/overview">${mark}<span>${words.brand}</span></a>
        ${status ? html`<span class="tag ${TONES[status]}" role="status">${icon(status === "online" ? "online" : status === "ended" ? "offline" : "spinner")}${words.status[status]}</span>` : nothing}
        <div class="settings">
          <select aria-label=${words.language} @change=${(event: Event) => setLanguage((event.target as HTMLSelectElement).value)}>
            ${Object.entries(LANGUAGES).map(([lang, name]) => html`<option value=${lang} lang=${lang} ?selected=${lang === this.language}>${name}</option>`)}
          </select>
          <button class="button tiny" @click=${() => setTheme(isDark() ? "light" : "dark")}>${isDark() ? words.light : words.dark}</button>
          ${admin ? html`<button class="button tiny" title=${claims().sub ?? nothing} @click=${() => this.#signOut()}>${words.signOut}</button>` : nothing}
        </div>
      </header>`;
  }

  #navigation(): TemplateResult {
    const { words } = this;
    return html`
      <nav aria-label=${words.views}>
        ${(Object.keys(VIEWS) as ViewName[]).map((name) => html`
          <a href=${`#/${name}`} aria-current=${name === this.#view ? "page" : nothing}>${picture(name)}<span>${words[name].nav}</span></a>`)}
      </nav>`;
  }

  #expiry(): TemplateResult | typeof nothing {
    const { words } = this;
    const expiresAt = session.get().admin?.state.get().expiresAt;
    if (!expiresAt || this.#renewing) return nothing;
    return html`<div class="expiry yellow" role="alert">${icon("clock")}<span>${words.expiring(clock(this.language, expiresAt))}</span>
      <button class="button tiny" @click=${() => { this.#renewing = true; this.requestUpdate(); }}>${words.newToken}</button></div>`;
  }

  #signOut(): void {
    signOut();
    location.hash = "#/overview";
  }
}
