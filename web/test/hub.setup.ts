/** Starts one whole system for all tests, as `make run` does, and stops it by its own handle. */
import type { TestProject } from "vitest/node";
import { type DevHub, startHub } from "./hub";

declare module "vitest" {
  interface ProvidedContext {
    hub: { url: string; secret: string; pid: number };
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const hub: DevHub = await startHub({ HUB_RATE_CONNECTS: "6000/minute" }); // all from one address
  project.provide("hub", { url: hub.url, secret: hub.secret, pid: hub.pid });
  return () => hub.stop();
}
