/** Starts one whole system for all tests, as `make run` does, and stops it by its own handle. */
import type { TestProject } from "vitest/node";
import { type DevHub, type Facts, startHub } from "./hub";

declare module "vitest" {
  interface ProvidedContext {
    hub: Facts;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const hub: DevHub = await startHub();
  const { stop, ...facts } = hub;
  project.provide("hub", facts);
  return stop;
}
