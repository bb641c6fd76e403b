/** Starts one browser for all browser tests, and stops it by its own handle. */
import type { TestProject } from "vitest/node";
import { serveBrowser } from "../browser";

declare module "vitest" {
  interface ProvidedContext {
    browser: string; // where it is reached
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await serveBrowser();
  project.provide("browser", server.wsEndpoint());
  return () => server.close();
}
