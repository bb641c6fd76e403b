import { css, html, nothing, type TemplateResult } from "lit";
import { type Envelope, type EventData, type HubClient, isType, type Notification } from "@notification-hub/client";
import { HubElement } from "./base";
import { icon } from "./icons";
import { safeLink, severityIcon } from "./inbox";
import { look } from "./look";

const SHOWN = 3;
const SECONDS = 7;
const REMEMBERED = 50;

/** What an administrator says to who is there now: shown as a notification is, and in no inbox. */
function spoken({ id, timestamp, data }: Envelope<"BROADCAST", EventData["BROADCAST"]>): Notification {
  return { ...data, id, type: "BROADCAST", createdAt: timestamp, seenAt: null, readAt: null, dismissedAt: null, scope: "ALL" };
}

/** `<hub-toasts>`: what comes, on any page, for a few seconds; errors until they are closed. */
export class HubToasts extends HubElement {
  static override styles = [look, css`
    :host {
      position: fixed; right: 20px; bottom: 20px; width: min(380px, calc(100vw - 24px)); z-index: 60;
      display: grid; gap: 10px; pointer-events: none;
    }
    article {
      display: flex; gap: 12px; padding: 14px 8px 14px 16px; pointer-events: auto; position: relative; overflow: hidden;
      background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius);
      box-shadow: 0 10px 32px light-dark(#0f172a26, #000a); animation: come 0.25s cubic-bezier(0.2, 0.9, 0.3, 1.1);
    }
    @keyframes come { from { opacity: 0; transform: translateY(12px); } }
    article::before { content: ""; position: absolute; inset: 0 auto 0 0; width: 4px; background: var(--_tone); }
    .info { --_tone: var(--_blue); }
    .success { --_tone: var(--_green); }
    .warning { --_tone: var(--_yellow); }
    .error { --_tone: var(--_red); }
    .list { display: grid; gap: 10px; }
    article > .icon { color: var(--_tone); width: 20px; height: 20px; margin-top: 1px; }
    .body { flex: 1; min-width: 0; overflow-wrap: anywhere; }
    p { margin: 0; }
    .title { font-weight: 650; }
    .text { color: var(--_muted); font-size: 13.5px; }
    a { color: var(--_accent); font-weight: 550; font-size: 13.5px; }
    .others { justify-self: end; padding: 4px 12px; border-radius: 99px; background: var(--_raised); border: 1px solid var(--_line); font-size: 12.5px; pointer-events: auto; }
    @media (max-width: 480px) { :host { right: 12px; bottom: 12px; } }
  `];
  #toasts: { item: Notification; until: number }[] = [];
  #held = false; // somebody reads: nothing goes

  protected follow(hub: HubClient): (() => void)[] {
    const timer = setInterval(() => this.#sweep(), 500);
    const live = hub.onEvent((envelope) => {
      if (isType(envelope, "BROADCAST")) this.#add(spoken(envelope));
    });
    return [hub.onNotification((item) => this.#add(item)), live, () => clearInterval(timer)];
  }

  #add(item: Notification): void {
    const until = item.severity === "ERROR" ? Infinity : Date.now() + SECONDS * 1000;
    const others = this.#toasts.filter((toast) => toast.item.id !== item.id);
    this.#toasts = [...others, { item, until }].slice(-REMEMBERED);
    this.requestUpdate();
  }

  #sweep(): void {
    if (this.#held || !this.#toasts.length) return;
    const left = this.#toasts.filter(({ until }) => until > Date.now());
    if (left.length === this.#toasts.length) return;
    this.#toasts = left;
    this.requestUpdate();
  }

  #close(id: string): void {
    this.#toasts = this.#toasts.filter((toast) => toast.item.id !== id);
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const { words } = this;
    const hidden = Math.max(0, this.#toasts.length - SHOWN);
    const hold = (held: boolean) => (): void => void (this.#held = held);
    return html`
      ${hidden ? html`<button class="others" @click=${() => { this.#toasts = []; this.requestUpdate(); }}>${words.others(hidden)} · ${words.close}</button>` : nothing}
      <div role="region" aria-label=${words.notifications} aria-live="polite" class="list"
        @pointerenter=${hold(true)} @pointerleave=${hold(false)} @focusin=${hold(true)} @focusout=${hold(false)}>
        ${this.#toasts.slice(-SHOWN).map(({ item }) => this.#toast(item))}
      </div>`;
  }

  #toast(item: Notification): TemplateResult {
    const { words } = this;
    const link = safeLink(item.link);
    return html`
      <article class=${item.severity.toLowerCase()} role=${item.severity === "ERROR" ? "alert" : nothing}>
        ${severityIcon(item)}
        <div class="body">
          <p class="title"><span class="said">${words.severity[item.severity]}: </span>${item.title}</p>
          <p class="text">${item.body}</p>
          ${link ? html`<a href=${link} @click=${() => void this.hub?.mark([item.id], "READ").catch(() => {})}>${words.open}</a>` : nothing}
        </div>
        <button class="small" aria-label=${`${words.close}: ${item.title}`} @click=${() => this.#close(item.id)}>${icon("close")}</button>
      </article>`;
  }
}
