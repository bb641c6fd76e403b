/** What every element of the console is. */
import { type CSSResultGroup, LitElement } from "lit";
import type { Readable } from "@notification-hub/client";
import { look } from "../components/src/look";
import { type AdminClient, AdminError } from "./admin";
import { shared } from "./look";
import { note, session } from "./session";
import { wordsOf, type Words } from "./words";

export abstract class ConsoleElement extends LitElement {
  static override styles: CSSResultGroup = [look, shared];
  #ends: (() => void)[] = [];
  readonly #changed = (): void => this.requestUpdate();

  protected get words(): Words {
    return wordsOf(document.documentElement.lang);
  }

  protected get language(): string {
    return document.documentElement.lang;
  }

  /** Whoever is signed in; views are shown only then. */
  protected get admin(): AdminClient {
    return session.get().admin!;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("console-changed", this.#changed);
    this.#ends = this.follow();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("console-changed", this.#changed);
    for (const end of this.#ends.splice(0)) end();
  }

  /** What the element follows while it is shown; returns what ends that. */
  protected follow(): (() => void)[] {
    return [];
  }

  /** Draws again whenever `store` changes. */
  protected redraw(store: Readable<unknown>): () => void {
    return store.subscribe(() => this.requestUpdate());
  }

  /** What a refusal says to the one who asked. */
  protected said(error: unknown): string {
    if (!(error instanceof AdminError)) return String(error);
    const details = error.details.map(({ field, message }) => `${field} ${message}`).join("; ");
    return this.words.errors[error.code] ?? `${error.code}: ${details || error.message}`;
  }

  /** Does something and says what came of it; gives whether it succeeded. */
  protected async attempt(act: () => Promise<string>): Promise<boolean> {
    try {
      note(await act());
      return true;
    } catch (error) {
      note(this.said(error), "red");
      return false;
    }
  }
}

/** What a form holds, by the names of its fields. */
export function fields(form: HTMLFormElement): Record<string, string> {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
}

/** Handles the submission of a form: nothing is sent anywhere. */
export const submitted = (act: (values: Record<string, string>) => void) => (event: Event): void => {
  event.preventDefault();
  act(fields(event.currentTarget as HTMLFormElement));
};
