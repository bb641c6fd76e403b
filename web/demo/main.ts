import { createHub, type HubClient } from "@notification-hub/client";
import { HubJobProgress, type HubScope } from "@notification-hub/components";
import { shownJobs } from "./jobs";
import { Proof } from "./proof";
import { words } from "./words";

const address = new URLSearchParams(location.search);
const people = [address.get("left") ?? "ana", address.get("right") ?? "bruno"];
const proof = new Proof();
const root = document.documentElement;

const byId = <Element extends HTMLElement>(id: string): Element => document.getElementById(id) as Element;

async function ask(path: string, body: unknown): Promise<Response> {
  return fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

async function tokenOf(sub: string): Promise<string> {
  const response = await ask("/dev/token", { sub });
  if (!response.ok) throw new Error(`no token for ${sub}: ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}

// -- two people -------------------------------------------------------------------------------

const clients = people.map((sub) => createHub({ token: () => tokenOf(sub) }));

function panel(sub: string, client: HubClient, left: boolean): HubScope {
  const scope = document.createElement("hub-scope");
  scope.className = "user";
  scope.dataset.user = sub;
  const name = sub.charAt(0).toUpperCase() + sub.slice(1);
  scope.innerHTML = `
    <header>
      <span class="avatar" aria-hidden="true"></span><h2></h2>
      <hub-connection></hub-connection><hub-bell></hub-bell>
      <div class="harm" data-page="work" role="group">
        <button class="harm-button cut" data-word="cut"></button><button class="harm-button offline"></button>
      </div>
    </header>
    <div class="jobs" data-page="work" hidden></div>
    <hub-toasts class="${left ? "left" : ""}"></hub-toasts>`;
  scope.querySelector(".avatar")!.textContent = name.charAt(0);
  scope.querySelector("h2")!.textContent = name;
  scope.querySelector(".harm")!.setAttribute("aria-label", name);
  scope.client = client;
  const jobs = scope.querySelector<HTMLElement>(".jobs")!;
  jobs.className = "jobs user";
  const progress = document.createElement("hub-job-progress");
  const second = document.createElement(left ? "hub-job-progress" : "hub-inbox");
  jobs.append(progress, second);
  const shown = shownJobs(client, address);
  const show = (element: HTMLElementTagNameMap["hub-job-progress"]) => (job: string | null): void => {
    element.job = job;
    element.hidden = !job;
  };
  shown.job.subscribe(show(progress));
  if (second instanceof HubJobProgress) shown.team.subscribe(show(second));
  scope.querySelector(".cut")!.addEventListener("click", () => void client.drop());
  const offline = scope.querySelector<HTMLButtonElement>(".offline")!;
  offline.addEventListener("click", () => void client.setOffline(client.connection().get().status !== "offline"));
  client.connection().subscribe(({ status }) => {
    const text = words(root.lang);
    offline.textContent = status === "offline" ? text.online : text.offline;
  });
  return scope;
}

// -- harm -------------------------------------------------------------------------------------

function tell(story: string): void {
  byId("story").textContent = story;
}

async function killNode(): Promise<void> {
  const text = words(root.lang);
  tell(text.killed);
  const back = clients.map((client) => new Promise<void>((resolve) => {
    let gone = false;
    const end = client.connection().subscribe(({ status }) => {
      gone ||= status !== "online";
      if (gone && status === "online") {
        queueMicrotask(() => end());
        resolve();
      }
    });
  }));
  await ask("/dev/kill-node", {}).catch(() => {}); // it cannot answer
  await Promise.all(back);
  tell(words(root.lang).back);
}

const FLOOD = 500;

async function flood(): Promise<void> {
  const [client] = clients;
  const topic = `topic:flood-${crypto.randomUUID()}`;
  let next = 1;
  const end = client!.subscribe(topic, ({ offset }) => {
    if (offset === next) next++;
    tell(words(root.lang).flooding(next - 1, FLOOD));
    if (next > FLOOD) queueMicrotask(end);
  }, { last: FLOOD });
  const token = await tokenOf(people[0]!);
  for (let from = 0; from < FLOOD; from += 100) {
    const items = Array.from({ length: 100 }, (_, n) => ({ id: crypto.randomUUID(), kind: "EVENT", channel: topic, type: "DROP", data: { n: from + n } }));
    await fetch("/v1/publish", {
      method: "POST", body: JSON.stringify({ items }),
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}`, "Idempotency-Key": crypto.randomUUID() },
    });
  }
}

async function whileDisabled(button: HTMLButtonElement, act: () => Promise<void>): Promise<void> {
  button.disabled = true;
  try {
    await act();
  } finally {
    button.disabled = false;
  }
}

// -- the page ---------------------------------------------------------------------------------

function translate(): void {
  const text = words(root.lang) as unknown as Record<string, string>;
  for (const each of document.querySelectorAll<HTMLElement>("[data-word]")) each.textContent = text[each.dataset.word!] ?? "";
  for (const each of document.querySelectorAll<HTMLElement>("[data-label]")) each.setAttribute("aria-label", text[each.dataset.label!] ?? "");
  byId("language").textContent = root.lang.startsWith("pt") ? "English" : "Português";
  byId("theme").textContent = isDark() ? text.light! : text.dark!;
  document.dispatchEvent(new Event("hub-changed"));
  for (const each of document.querySelectorAll("hub-job-progress, hub-inbox, hub-bell, hub-connection, hub-toasts")) {
    (each as unknown as { requestUpdate(): void }).requestUpdate();
  }
}

function isDark(): boolean {
  const chosen = root.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function route(): void {
  const page = location.hash === "#/other" ? "other" : "work";
  for (const each of document.querySelectorAll<HTMLElement>("main [data-page]")) each.hidden = each.dataset.page !== page;
  for (const each of document.querySelectorAll<HTMLElement>("nav [data-page]")) {
    if (each.dataset.page === page) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
}

function showProof(): void {
  const number = new Intl.NumberFormat(root.lang);
  for (const name of ["received", "gaps", "repeats", "returns"] as const) {
    const place = byId(name);
    place.textContent = number.format(proof[name]);
    place.classList.toggle("bad", (name === "gaps" || name === "repeats") && proof[name] > 0);
  }
}

root.lang = address.get("lang") ?? (navigator.language.startsWith("pt") ? "pt-BR" : "en");
const theme = address.get("theme");
if (theme) root.dataset.theme = theme;
const users = document.querySelector(".users")!;
people.forEach((sub, index) => users.append(panel(sub, clients[index]!, index === 0)));
for (const client of clients) proof.watch(client, showProof);
byId("kill").addEventListener("click", () => void whileDisabled(byId("kill"), killNode));
byId("flood").addEventListener("click", () => void whileDisabled(byId("flood"), flood));
byId("language").addEventListener("click", () => {
  root.lang = root.lang.startsWith("pt") ? "en" : "pt-BR";
  translate();
});
byId("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  translate();
});
window.addEventListener("hashchange", () => {
  route();
  byId("main").focus();
});
translate();
route();
