/** The page `/docs`: both documents of the hub that serves it, and a panel to try it. */
import { html, render } from "lit";
import { type AsyncApi, httpGroups, liveGroups, type OpenApi } from "./documents";
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
    byId("versions").textContent = `${live.info.version} · contract ${live.info["x-contract"].join(", ")}`;
    render(contents([...doors, ...requests]), byId("contents"));
    main.replaceChildren();
    render(html`
      <h1>What the hub says and takes</h1>
      ${doors.map((group) => section(group, live.components.schemas))}
      ${requests.map((group) => section(group, http.components.schemas))}`, main);
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    main.textContent = `The documents could not be loaded: ${String(error)}`;
  }
}

new TryIt(byId("try"));
void show();
