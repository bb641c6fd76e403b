import { html, nothing, type PropertyValues, type PropertyDeclarations, type TemplateResult } from "lit";
import { type Filter, type HubClient, isUnread, type Mark, type Notification, view } from "@notification-hub/client";
import { HubElement } from "./base";
import { icon, type IconName } from "./icons";
import { look } from "./look";
import { inboxStyles } from "./inbox.css";
import { ago } from "./words";

const FILTERS: readonly Filter[] = ["UNREAD", "ALL", "DISMISSED"];
const PICTURES: Record<Notification["severity"], IconName> = { INFO: "info", SUCCESS: "done", WARNING: "warning", ERROR: "failed" };

/** Where a notification leads: only to pages, whatever a publisher wrote. */
export function safeLink(link: string | undefined): string | undefined {
  if (!link) return undefined;
  try {
    const url = new URL(link, location.href);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

export const severityIcon = (item: { severity: Notification["severity"] }): TemplateResult => icon(PICTURES[item.severity] ?? "info");

/** `<hub-inbox>`: the user's notifications in three lists. `hub-open` is sent when one is opened. */
export class HubInbox extends HubElement {
  static override properties: PropertyDeclarations = { filter: { type: String } };
  static override styles = [look, inboxStyles];
  declare filter: Filter;

  constructor() {
    super();
    this.filter = "UNREAD";
  }

  protected follow(hub: HubClient): (() => void)[] {
    const timer = setInterval(() => this.requestUpdate(), 30_000); // "2 minutes ago"
    this.#load(hub);
    return [this.redraw(hub.inbox()), () => clearInterval(timer)];
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (changed.has("filter") && this.hub) this.#load(this.hub);
  }

  #load(hub: HubClient): void {
    const list = hub.inbox().get().lists[this.filter];
    if (!list.loaded && !list.loading) void hub.load(this.filter).catch(() => {}); // the list says it
  }

  override render(): TemplateResult {
    const { words } = this;
    const state = this.hub?.inbox().get();
    return html`
      <section aria-label=${words.notifications}>
        <header>
          <h3>${words.notifications}</h3>
          <button class="plain" ?disabled=${!state?.count} @click=${() => this.#mark("all", "READ")}>${icon("checkAll")} ${words.markAll}</button>
        </header>
        <div class="tabs" role="tablist" aria-label=${words.notifications} @keydown=${this.#key}>
          ${FILTERS.map((filter) => html`
            <button role="tab" id=${`tab-${filter}`} aria-controls="panel" aria-selected=${filter === this.filter}
              tabindex=${filter === this.filter ? 0 : -1} @click=${() => (this.filter = filter)}>
              ${words.filters[filter]}${filter === "UNREAD" && state?.count ? html` <span class="count number">${state.count}</span>` : nothing}
            </button>`)}
        </div>
        <div id="panel" role="tabpanel" aria-labelledby=${`tab-${this.filter}`}>${this.#list()}</div>
      </section>`;
  }

  #list(): TemplateResult {
    const { words } = this;
    const state = this.hub?.inbox().get();
    const list = state?.lists[this.filter];
    const items = state ? view(state, this.filter) : [];
    if (list?.error && !items.length) {
      return html`<div class="blank" role="alert">${icon("warning")}<p>${words.error}</p>
        <button class="plain" @click=${() => this.hub?.load(this.filter)}>${words.retry}</button></div>`;
    }
    if (!items.length && !list?.loaded) {
      return html`<div class="bones" aria-busy="true"><p class="said" role="status">${words.loading}</p>${[1, 2, 3].map(() => html`<div class="bone"></div>`)}</div>`;
    }
    if (!items.length) return html`<div class="blank">${icon("inbox")}<p>${words.empty[this.filter]}</p></div>`;
    return html`
      <ul>${items.map((item) => this.#item(item))}</ul>
      ${list?.nextCursor ? html`<button class="plain more" ?disabled=${list.loading} @click=${() => this.hub?.loadMore(this.filter)}>
        ${list.loading ? icon("spinner") : nothing} ${words.more}</button>` : nothing}`;
  }

  #item(item: Notification): TemplateResult {
    const { words } = this;
    const unread = isUnread(item);
    const link = safeLink(item.link);
    const now = Date.now() + (this.hub?.connection().get().skew ?? 0);
    const action = (picture: IconName, label: string, as: Mark): TemplateResult => html`
      <button class="small" title=${label} aria-label=${`${label}: ${item.title}`} @click=${() => this.#mark([item.id], as)}>${icon(picture)}</button>`;
    return html`
      <li class=${`${item.severity.toLowerCase()} ${unread ? "unread" : ""}`}>
        <span class="sign">${severityIcon(item)}</span>
        <div class="body">
          <p class="title">
            ${unread ? html`<span class="said">${words.filters.UNREAD}: </span>` : nothing}
            ${link ? html`<a href=${link} @click=${(event: Event) => this.#opened(event, item)}>${item.title}</a>` : item.title}
          </p>
          <p class="text">${item.body}</p>
          <time datetime=${item.createdAt}>${ago(this.language, item.createdAt, now)}</time>
        </div>
        <div class="actions">
          ${item.dismissedAt ? action("undo", words.restore, "RESTORED") : html`
            ${unread ? action("check", words.markRead, "READ") : action("dot", words.markUnread, "UNREAD")}
            ${action("close", words.dismiss, "DISMISSED")}`}
        </div>
      </li>`;
  }

  #opened(event: Event, item: Notification): void {
    if (isUnread(item)) this.#mark([item.id], "READ");
    const go = this.dispatchEvent(new CustomEvent("hub-open", { detail: item, bubbles: true, composed: true, cancelable: true }));
    if (!go) event.preventDefault(); // the application goes there itself
  }

  #mark(ids: string[] | "all", as: Mark): void {
    const had = this.shadowRoot?.activeElement?.closest("li");
    void this.hub?.mark(ids, as).catch(() => {}); // refused: the list shows what is true again
    if (had) void this.updateComplete.then(() => this.#focusNear(had));
  }

  /** The item that had the focus may be gone: the keyboard goes on at the list. */
  #focusNear(had: Element): void {
    if (had.isConnected && this.shadowRoot?.activeElement) return;
    const next = this.renderRoot.querySelector<HTMLElement>("li button") ?? this.renderRoot.querySelector<HTMLElement>('[aria-selected="true"]');
    next?.focus();
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? FILTERS.length - 1
      : step ? (FILTERS.indexOf(this.filter) + step + FILTERS.length) % FILTERS.length : -1;
    if (to < 0) return;
    event.preventDefault();
    this.filter = FILTERS[to]!;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  }
}
