import { css, html, nothing, type TemplateResult } from "lit";
import type { HubClient, Status } from "@notification-hub/client";
import { everySecond, HubElement } from "./base";
import { icon, type IconName } from "./icons";
import { look } from "./look";

const PICTURES: Record<Status, IconName> = {
  connecting: "spinner", online: "online", reconnecting: "spinner", polling: "clock", offline: "offline",
  idle: "idle", refused: "offline", closed: "offline",
};
const TONES: Record<Status, string> = {
  connecting: "grey", online: "green", reconnecting: "yellow", polling: "yellow", offline: "grey",
  idle: "grey", refused: "red", closed: "grey",
};

/** `<hub-connection>`: whether what is shown is live, and what waits. */
export class HubConnection extends HubElement {
  static override styles = [look, css`
    :host { display: inline-flex; }
    div { display: inline-flex; align-items: center; gap: 6px 8px; flex-wrap: wrap; }
    .state {
      display: inline-flex; align-items: center; gap: 7px; padding: 4px 11px 4px 9px; border-radius: 99px; font-size: 13px; font-weight: 550;
      color: var(--_tone); background: color-mix(in srgb, var(--_tone) 10%, var(--_surface)); border: 1px solid color-mix(in srgb, var(--_tone) 22%, transparent);
    }
    .green { --_tone: var(--_green); }
    .yellow { --_tone: var(--_yellow); }
    .red { --_tone: var(--_red); }
    .grey { --_tone: var(--_grey); }
    .minor { color: var(--_muted); font-size: 12.5px; }
    .plain { padding: 3px 8px; font-size: 13px; }
  `];

  protected follow(hub: HubClient): (() => void)[] {
    const tick = everySecond(() => {
      if (hub.connection().get().retryAt) this.requestUpdate();
    });
    return [this.redraw(hub.connection()), tick];
  }

  override render(): TemplateResult {
    const { words } = this;
    const state = this.hub?.connection().get();
    const status = state?.status ?? "closed";
    const seconds = state?.retryAt ? Math.ceil((state.retryAt - Date.now()) / 1000) : 0;
    const stuck = status === "refused" || status === "idle" || status === "polling";
    return html`
      <div title=${words.connectionHints[status] ?? nothing}>
        <span class="state ${TONES[status]}">${icon(PICTURES[status])}<span role="status">${words.connection[status]}</span></span>
        ${seconds > 0 && status !== "polling" ? html`<span class="minor number">${words.again(seconds)}</span>` : nothing}
        ${state?.queued ? html`<span class="minor number">${words.waiting(state.queued)}</span>` : nothing}
        ${stuck ? html`<button class="plain" @click=${() => this.hub?.reconnect()}>${words.reconnect}</button>` : nothing}
      </div>`;
  }
}
