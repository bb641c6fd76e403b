/** What every component is: it finds its client and its language, and follows stores while it is shown. */
import { LitElement, type PropertyDeclarations, type PropertyValues } from "lit";
import type { HubClient, Readable } from "@notification-hub/client";
import { wordsOf, type Words } from "./words";

let standard: HubClient | undefined;

/** The client of components that were given none and are in no `<hub-scope>`. */
export function setHub(client: HubClient | undefined): void {
  standard = client;
  document.dispatchEvent(new Event("hub-changed"));
}

/** Asks the elements around for their client. */
class Asking extends Event {
  client: HubClient | undefined;
  constructor() {
    super("hub-client", { bubbles: true, composed: true });
  }
}

/** `<hub-scope>`: the components in it belong to its `client`; for pages with several users. */
export class HubScope extends HTMLElement {
  #client: HubClient | undefined;

  constructor() {
    super();
    this.addEventListener("hub-client", (event) => {
      if (!(event instanceof Asking) || !this.#client) return;
      event.client ??= this.#client;
      event.stopPropagation();
    });
  }

  get client(): HubClient | undefined {
    return this.#client;
  }

  set client(client: HubClient | undefined) {
    this.#client = client;
    document.dispatchEvent(new Event("hub-changed"));
  }
}

export abstract class HubElement extends LitElement {
  static override properties: PropertyDeclarations = { client: { attribute: false }, lang: { type: String } };
  /** Default: that of the `<hub-scope>` around, or of `setHub`. */
  declare client: HubClient | undefined;
  #ends: (() => void)[] = [];
  #found: HubClient | undefined;
  #subject: string | null = null;
  readonly #look = (): void => this.refollow();

  get hub(): HubClient | undefined {
    return this.#found;
  }

  protected get language(): string {
    const around = this.lang || this.closest("[lang]")?.getAttribute("lang") || document.documentElement.lang;
    return around || navigator.language;
  }

  protected get words(): Words {
    return wordsOf(this.language);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("hub-changed", this.#look);
    this.refollow();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("hub-changed", this.#look);
    this.#leave();
  }

  protected override willUpdate(_changed: PropertyValues): void {
    this.refollow();
  }

  /** Follows anew if the client, or what is to be followed, has changed. */
  protected refollow(): void {
    if (!this.isConnected) return;
    const found = this.client ?? this.#asked() ?? standard;
    const { subject } = this;
    if (found === this.#found && subject === this.#subject) return;
    this.#leave();
    this.#found = found;
    this.#subject = subject;
    if (found) this.#ends = this.follow(found);
    this.requestUpdate();
  }

  /** What the component is about, beside the client. */
  protected get subject(): string | null {
    return null;
  }

  /** What the component follows; returns what ends that. */
  protected abstract follow(hub: HubClient): (() => void)[];

  /** Draws again whenever `store` changes. */
  protected redraw(store: Readable<unknown>): () => void {
    return store.subscribe(() => this.requestUpdate());
  }

  #asked(): HubClient | undefined {
    const asking = new Asking();
    this.dispatchEvent(asking);
    return asking.client;
  }

  #leave(): void {
    for (const end of this.#ends) end();
    this.#ends = [];
    this.#found = undefined;
  }
}

/** Calls `act` every second; returns what ends that. */
export function everySecond(act: () => void): () => void {
  const timer = setInterval(act, 1000);
  return () => clearInterval(timer);
}
