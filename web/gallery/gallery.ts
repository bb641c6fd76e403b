/** Every component in its states, for tests and for the pictures of the documentation. What it shows
 * is in the address: `user`, with their notifications, and `job`, once for each job. */
import { type ConnectionState, createHub, type Filter, type HubClient, type Status, Store } from "@notification-hub/client";
import { setHub } from "@notification-hub/components";

const address = new URLSearchParams(location.search);
const root = document.documentElement;
root.lang = address.get("lang") ?? "en";
root.dataset.theme = address.get("theme") ?? "light";

function client(sub: string): HubClient {
  const ask = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ sub }) };
  return createHub({ token: async () => ((await (await fetch("/dev/token", ask)).json()) as { token: string }).token });
}

const place = (id: string): Element => document.querySelector(`#${id} > div`)!;

function add<Name extends keyof HTMLElementTagNameMap>(id: string, name: Name, more: Partial<HTMLElementTagNameMap[Name]> = {}): void {
  place(id).append(Object.assign(document.createElement(name), more));
}

/** A connection that is in this state and stays there. */
function still(status: Status, more: Partial<ConnectionState> = {}): HubClient {
  const state: ConnectionState = {
    status, leader: true, userId: "ana", attempt: 0, retryAt: null, error: null, queued: 0, skew: 0, recovered: false, ...more,
  };
  return { connection: () => new Store(state) } as unknown as HubClient; // all that <hub-connection> asks for
}

const STATUSES = [
  "CREATED", "PLANNING", "PLANNED", "WAITING_APPROVAL", "GENERATING", "VALIDATING", "COMPLETED", "FAILED", "CANCELLED", "CODE_REVIEW",
];
const CONNECTIONS: HubClient[] = [
  still("connecting"), still("online"), still("reconnecting", { attempt: 2, retryAt: Date.now() + 30_000 }), still("polling"),
  still("offline", { queued: 2 }), still("idle"), still("refused"),
];
const FILTERS: Filter[] = ["UNREAD", "ALL", "DISMISSED"];

setHub(client(address.get("user") ?? "ana"));
for (const status of STATUSES) add("badge", "hub-status-badge", { status });
for (const each of CONNECTIONS) add("connection", "hub-connection", { client: each });
for (const job of address.getAll("job")) add("progress", "hub-job-progress", { job });
for (const filter of FILTERS) add("inbox", "hub-inbox", { filter });
add("bell", "hub-bell", { client: client(address.get("nobody") ?? "bruno") });
add("bell", "hub-bell");
add("toasts", "hub-toasts");
