/** Who is signed in, how the page looks, and what it says about what was done. The token is in
 * `sessionStorage`: gone with the tab, never in an address. */
import { type Readable, Store } from "@notification-hub/client";
import { AdminClient, type AdminState } from "./admin";

const TOKEN = "hub-console-token";

export interface SessionState {
  /** `null`: nobody is signed in. */
  admin: AdminClient | null;
  /** An attempt to sign in is under way. */
  busy: boolean;
  /** Why nobody is. */
  error: AdminState["error"];
}

const state = new Store<SessionState>({ admin: null, busy: false, error: null });
export const session: Readable<SessionState> = state;

/** Signs in; `session` says what came of it. Whoever is signed in stays so if it is refused. */
export function signIn(token: string, patient = false): void {
  const admin = new AdminClient(token, { patient });
  state.set({ ...state.get(), busy: true, error: null });
  const use = (): void => {
    const before = state.get().admin;
    if (before !== admin) before?.close();
    state.set({ admin, busy: false, error: null });
  };
  if (patient) use();
  admin.state.subscribe(({ status, error }) => {
    if (status === "online") {
      sessionStorage.setItem(TOKEN, token);
      if (state.get().admin !== admin) use();
    } else if (status === "ended") {
      const current = state.get().admin;
      if (current && current !== admin) state.set({ admin: current, busy: false, error });
      else {
        sessionStorage.removeItem(TOKEN);
        state.set({ admin: null, busy: false, error });
      }
    }
  });
}

export function signOut(): void {
  sessionStorage.removeItem(TOKEN);
  state.get().admin?.close();
  state.set({ admin: null, busy: false, error: null });
}

/** Goes on with the token that this tab had before a reload. */
export function resume(): void {
  const token = sessionStorage.getItem(TOKEN);
  if (token) signIn(token, true);
}

/** What a token says of its holder; nothing is believed because of it. */
export function claims(): { sub?: string } {
  try {
    const [, payload = ""] = (sessionStorage.getItem(TOKEN) ?? "").split(".");
    const bytes = Uint8Array.from(atob(payload.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as { sub?: string };
  } catch {
    return {};
  }
}

// -- what was done -------------------------------------------------------------------------------

export interface Note {
  id: number;
  text: string;
  tone: "green" | "red";
}
const NOTED_MS = 6000;
const noted = new Store<readonly Note[]>([]);
export const notes: Readable<readonly Note[]> = noted;
let count = 0;

/** Says what came of an act, for a few seconds. */
export function note(text: string, tone: Note["tone"] = "green"): void {
  const one = { id: ++count, text, tone };
  noted.set([...noted.get(), one].slice(-3));
  setTimeout(() => noted.set(noted.get().filter((each) => each !== one)), NOTED_MS);
}

// -- how it looks --------------------------------------------------------------------------------

const root = document.documentElement;
export const LANGUAGES = { en: "EN", "pt-BR": "PT", es: "ES" } as const;
type Language = keyof typeof LANGUAGES;

export function setLanguage(lang: string): void {
  root.lang = (Object.keys(LANGUAGES) as Language[]).find((each) => each.slice(0, 2) === lang.slice(0, 2).toLowerCase()) ?? "en";
  localStorage.setItem("hub-console-lang", root.lang);
  document.dispatchEvent(new Event("console-changed"));
}

export function isDark(): boolean {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function setTheme(theme: string): void {
  root.dataset.theme = theme;
  localStorage.setItem("hub-console-theme", theme);
  document.dispatchEvent(new Event("console-changed"));
}

export function remembered(): void {
  const theme = localStorage.getItem("hub-console-theme");
  if (theme) root.dataset.theme = theme;
  setLanguage(localStorage.getItem("hub-console-lang") ?? navigator.language);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("console-changed")));
}
