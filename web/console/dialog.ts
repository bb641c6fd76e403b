/** `<console-dialog>`: asks before something is done. The keyboard stays in it, Escape closes it, and
 * then the focus is where it was. */
import { css, html, type PropertyDeclarations, type TemplateResult } from "lit";
import { look } from "../components/src/look";
import { ConsoleElement } from "./base";
import { shared } from "./look";

export class ConsoleDialog extends ConsoleElement {
  static override properties: PropertyDeclarations = { heading: { type: String } };
  static override styles = [look, shared, css`
    :host { display: contents; }
    dialog {
      width: min(460px, calc(100vw - 24px)); max-height: calc(100vh - 32px); overflow: auto; padding: 20px 22px; border: 1px solid var(--_line); border-radius: 14px;
      background: var(--_surface); color: inherit; font: inherit; box-shadow: 0 24px 64px light-dark(#0f172a40, #000c);
    }
    dialog::backdrop { background: light-dark(#0f172a66, #000a); }
    h2 { font-size: 17px; letter-spacing: -0.015em; overflow-wrap: anywhere; margin-bottom: 10px; }
  `];
  declare heading: string;

  constructor() {
    super();
    this.heading = "";
  }

  get #dialog(): HTMLDialogElement {
    return this.renderRoot.querySelector("dialog")!;
  }

  /** Shows it, with the focus on what is marked `data-first`. */
  async open(): Promise<void> {
    await this.updateComplete;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.toggleAttribute("open", true);
    this.querySelector<HTMLElement>("[data-first]")?.focus();
  }

  close(): void {
    this.#dialog.close();
  }

  #closed(): void {
    this.toggleAttribute("open", false);
    this.dispatchEvent(new Event("close"));
  }

  override render(): TemplateResult {
    return html`
      <dialog aria-labelledby="heading" @click=${(event: Event) => event.target === this.#dialog && this.close()} @close=${() => this.#closed()}>
        <h2 id="heading">${this.heading}</h2><slot></slot>
      </dialog>`;
  }
}

/** `<console-confirm>`: one question, two buttons. */
export class ConsoleConfirm extends ConsoleElement {
  static override styles = [look, shared, css`
    :host { display: contents; }
    .row { justify-content: end; }
  `];
  #asked: { heading: string; body: unknown; action: string; danger: boolean } | null = null;
  #answer: (yes: boolean) => void = () => {};

  /** Resolves with whether it was confirmed. */
  async ask(heading: string, body: unknown, action: string, danger = true): Promise<boolean> {
    this.#asked = { heading, body, action, danger };
    this.requestUpdate();
    await this.updateComplete;
    const answer = new Promise<boolean>((resolve) => (this.#answer = resolve));
    await this.#dialog.open();
    return answer;
  }

  get #dialog(): ConsoleDialog {
    return this.renderRoot.querySelector("console-dialog")!;
  }

  #close(yes: boolean): void {
    this.#answer(yes);
    this.#dialog.close();
  }

  override render(): TemplateResult {
    const { heading = "", body = "", action = "", danger = true } = this.#asked ?? {};
    return html`
      <console-dialog heading=${heading} @close=${() => this.#answer(false)}>
        <div class="stack">
          <div class="muted">${body}</div>
          <div class="row">
            <button class="button" data-first @click=${() => this.#close(false)}>${this.words.cancel}</button>
            <button class="button ${danger ? "danger" : "primary"}" @click=${() => this.#close(true)}>${action}</button>
          </div>
        </div>
      </console-dialog>`;
  }
}
