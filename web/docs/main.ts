/** The page `/docs`: both documents of the hub that serves it, and a panel to try it. */
import { html, render } from "lit";
import { markCurrent } from "./current";
import type { AsyncApi, OpenApi } from "./documents";
import { fold } from "./folding";
import { liveGroups } from "./live";
import { httpGroups } from "./requests";
import { TryIt } from "./try";
import { contents, section } from "./view";

const byId = (id: string): HTMLElement => document.getElementById(id)!;

async function load<Document>(path: string): Promise<Document> {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as Document;
}

async function show(): Promise<void> {
  const main = byId("main");
  try {
    const [live, http] = await Promise.all([load<AsyncApi>("/asyncapi.json"), load<OpenApi>("/openapi.json")]);
    const [doors, requests] = [liveGroups(live), httpGroups(http)];
    const spoken = live.info["x-contract"];
    byId("versions").textContent = `${live.info.version} · contract ${spoken.join(", ")}`;
    render(contents([...doors, ...requests]), byId("contents"));
    main.replaceChildren();
    render(html`
      <h1>What the hub says and takes</h1>
      ${doors.map((group) => section(group, live.components.schemas))}
      ${requests.map((group) => section(group, http.components.schemas))}`, main);
    new TryIt(byId("try"), Math.max(...spoken));
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
    markCurrent(byId("contents"), [...main.querySelectorAll("article")]);
  } catch (error) {
    main.textContent = `The documents could not be loaded: ${String(error)}`;
  }
}

fold(...document.querySelectorAll<HTMLDetailsElement>(".bar > * > details"));
void show();
