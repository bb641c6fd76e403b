/** Which jobs the page shows: those of the address, else the ones that the demo announces, each until
 * it has ended and was looked at for a while. */
import { type HubClient, isTerminal, type Readable, Store } from "@notification-hub/client";

const TOPIC = "topic:demo-jobs"; // as in workers/demo.py
const SHOWN_AFTER_END = 8000;

export interface Shown {
  job: Readable<string | null>;
  team: Readable<string | null>;
}

export function shownJobs(client: HubClient, address: URLSearchParams): Shown {
  const [job, team] = [address.get("job"), address.get("team")];
  if (job || team) return { job: new Store(job), team: new Store(team) };
  const lanes = { job: new Lane(client, "job"), team: new Lane(client, "team") };
  client.subscribe(TOPIC, ({ data }) => {
    const { jobId, jobKind } = data as { jobId: string; jobKind: string };
    lanes[jobKind === "TEAM_EXECUTION" ? "team" : "job"].announced(jobId);
  }, { last: 20 });
  return { job: lanes.job.shown, team: lanes.team.shown };
}

class Lane {
  readonly shown = new Store<string | null>(null);
  readonly #client: HubClient;
  readonly #key: string;
  #newest: string | null = null;
  #end: (() => void) | undefined;

  constructor(client: HubClient, name: string) {
    this.#client = client;
    this.#key = `hub-demo-${name}`;
    const known = localStorage.getItem(this.#key); // what another tab heard is not told again
    if (known) this.announced(known);
  }

  announced(jobId: string): void {
    this.#newest = jobId;
    localStorage.setItem(this.#key, jobId);
    if (!this.shown.get() || !this.#end) this.#show(jobId);
  }

  #show(jobId: string): void {
    this.#end?.();
    this.shown.set(jobId);
    let ran = false;
    const end = this.#client.progress(jobId).subscribe(({ status, feed }) => {
      if (feed === "loading" || !(isTerminal(status) || feed === "error")) {
        ran ||= status !== null;
        return;
      }
      queueMicrotask(() => {
        if (this.#end !== end) return;
        end();
        setTimeout(() => this.#next(), ran ? SHOWN_AFTER_END : 0);
      });
    });
    this.#end = end;
  }

  #next(): void {
    this.#end = undefined;
    if (this.#newest && this.#newest !== this.shown.get()) this.#show(this.#newest);
  }
}
