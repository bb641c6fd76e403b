/** Debian's Chromium, never one that is downloaded. */
import { type BrowserServer, chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** A browser with a profile of its own, which is gone with it; several processes may use it. */
export function serveBrowser(): Promise<BrowserServer> {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launchServer({ executablePath, headless: true, args: FLAGS });
}
