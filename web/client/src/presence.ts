/** What the page can tell of its user and its network. */
import type { Wake } from "./line";

export interface PresenceHandlers {
  wake(why: Wake): void;
  /** The machine says that it has no network. */
  lostNetwork(): void;
}

/** Listens to it; returns what ends that. Outside of a page there is nothing to listen to. */
export function listenToUser({ wake, lostNetwork }: PresenceHandlers): () => void {
  if (typeof window === "undefined" || typeof document === "undefined") return () => {};
  const ends: (() => void)[] = [];
  const on = (target: EventTarget, name: string, act: () => void): void => {
    target.addEventListener(name, act, { passive: true });
    ends.push(() => target.removeEventListener(name, act));
  };
  for (const name of ["pointerdown", "keydown"]) on(window, name, () => wake("user"));
  on(document, "visibilitychange", () => {
    if (document.visibilityState === "visible") wake("user");
  });
  on(window, "online", () => wake("online"));
  on(window, "offline", lostNetwork);
  return () => {
    for (const end of ends) end();
  };
}
