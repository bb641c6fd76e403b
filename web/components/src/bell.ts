import { css, html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";
import type { HubClient } from "@notification-hub/client";
import { HubElement } from "./base";
import { icon } from "./icons";
import { look } from "./look";

/** `<hub-bell>`: how much is unread, and the inbox behind it. */
export class HubBell extends HubElement {
  static override properties: PropertyDeclarations = { open: { type: Boolean, reflect: true } };
  static override styles = [look, css`
    :host { display: inline-block; position: relative; }
    .bell { display: grid; place-items: center; width: 42px; height: 42px; border-radius: 12px; position: relative; color: var(--_text); }
    .bell:hover, :host([open]) .bell { background: var(--_raised); }
    .bell > .icon { width: 21px; height: 21px; }
    .count {
      position: absolute; top: -1px; left: 25px; min-width: 19px; height: 19px; padding: 0 5px; border-radius: 99px;
      font: 650 11px/19px var(--hub-font, Inter, system-ui, sans-serif); text-align: center;
      background: light-dark(#d2202f, #ff8f8f); color: light-dark(#fff, #2a0508); box-shadow: 0 0 0 2px var(--_surface);
    }
    .panel { position: absolute; right: 0; top: calc(100% + 8px); width: min(400px, calc(100vw - 24px)); z-index: 50; }
    .panel hub-inbox { max-height: min(560px, 75vh); }
    @media (max-width: 480px) { .panel { position: fixed; left: 12px; right: 12px; top: 64px; width: auto; } }
  `];
  declare open: boolean;
  readonly #outside = (event: Event): void => {
    if (this.open && !event.composedPath().includes(this)) this.open = false;
  };

  constructor() {
    super();
    this.open = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("pointerdown", this.#outside);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("pointerdown", this.#outside);
  }

  protected follow(hub: HubClient): (() => void)[] {
    return [this.redraw(hub.inbox())];
  }

  override render(): TemplateResult {
    const { words } = this;
    const count = this.hub?.inbox().get().count ?? 0;
    const label = `${words.notifications}, ${count ? words.unread(count) : words.nothingUnread}`;
    return html`
      <button class="bell" aria-label=${label} aria-expanded=${this.open} aria-haspopup="dialog" @click=${() => (this.open = !this.open)}>
        ${icon("bell")}${count ? html`<span class="count number" aria-hidden="true">${count > 99 ? "99+" : count}</span>` : nothing}
      </button>
      <span class="said" role="status">${count ? words.unread(count) : ""}</span>
      ${this.open ? html`<div class="panel" role="dialog" aria-label=${words.notifications} @keydown=${this.#key}>
        <hub-inbox .client=${this.hub} lang=${this.language}></hub-inbox></div>` : nothing}`;
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    this.open = false;
    this.renderRoot.querySelector<HTMLElement>(".bell")?.focus();
  }
}
