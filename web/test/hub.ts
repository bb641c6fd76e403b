/** A running hub, tokens for it, and a worker that publishes over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const ROOT = new URL("../..", import.meta.url).pathname;

export interface Facts {
  url: string;
  secret: string;
  /** Where its stores are. */
  redisUrl: string;
  mongoUrl: string;
}

export interface DevHub extends Facts {
  stop(): Promise<void>;
}

export interface Node {
  url: string;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Has it do nothing, and go on. */
  pause(): void;
  resume(): void;
}

/** `python -m hub dev` on a free port, with its data in a temporary folder. */
export async function startHub(env: Record<string, string> = {}, demo = false): Promise<DevHub> {
  const data = await mkdtemp(join(tmpdir(), "hub-web-"));
  const args = ["dev", "--port", "0", "--data-dir", data, ...(demo ? [] : ["--no-demo"])];
  const { child, ended, url } = await start(args, env);
  const { jwtSecret: secret, redisUrl, mongoUrl } = JSON.parse(await readFile(join(data, "dev.json"), "utf8")) as Record<string, string>;
  return {
    url, secret: secret!, redisUrl: redisUrl!, mongoUrl: mongoUrl!,
    async stop() {
      child.kill("SIGTERM");
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}

/** One more node of that hub, with the demo page; `port`: where one was before. */
export async function startNode(hub: Facts, port = "0"): Promise<Node> {
  const env = { HUB_REDIS_URL: hub.redisUrl, HUB_MONGO_URL: hub.mongoUrl, HUB_JWT_SECRET: hub.secret };
  const { child, ended, url } = await start(["serve", "--port", port, "--demo-page"], env);
  return {
    url,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
  };
}

async function start(args: string[], env: Record<string, string>): Promise<{ child: ChildProcess; ended: Promise<unknown>; url: string }> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("HUB_")));
  const child: ChildProcess = spawn(join(ROOT, ".venv/bin/python"), ["-m", "hub", ...args], {
    cwd: ROOT, env: { ...clean, HUB_LOG_LEVEL: "WARNING", HUB_RATE_CONNECTS: "6000/minute", ...env }, // all tests connect from one address
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr!.on("data", (chunk: Buffer) => (log = (log + chunk.toString()).slice(-20_000)));
  const ended = once(child, "exit");
  const lines = createInterface(child.stdout!);
  const ready = await Promise.race([
    once(lines, "line").then(([line]) => String(line)),
    ended.then(() => Promise.reject(new Error(`the hub did not start:\n${log}`))),
  ]);
  return { child, ended, url: ready.replace("ready ", "") };
}

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token as `python -m hub token` makes it. `ttl`: seconds. */
export function mint(secret: string, sub: string, claims: Record<string, unknown> = {}, ttl = 3600): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub, iat: now, exp: now + ttl, jti: randomUUID(), roles: ["user"], projects: ["demo"], ...claims };
  const head = `${base64({ alg: "HS256", typ: "JWT" })}.${base64(payload)}`;
  return `${head}.${createHmac("sha256", secret).update(head).digest("base64url")}`;
}

/** Publishes as a worker would. */
export class Worker {
  readonly #url: string;
  readonly #token: string;
  readonly #reader: string;

  constructor(hub: { url: string; secret: string }) {
    this.#url = hub.url;
    this.#reader = mint(hub.secret, "reader");
    this.#token = mint(hub.secret, "worker", { roles: ["service"] });
  }

  /** Publishes; every item gets an id of its own. */
  async publish(...items: Record<string, unknown>[]): Promise<void> {
    const response = await fetch(`${this.#url}/v1/publish`, {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
      body: JSON.stringify({ items: items.map((item) => ({ id: randomUUID(), ...item })) }),
    });
    if (response.status !== 202) throw new Error(await response.text());
  }

  /** Resolves once the hub knows the job. */
  async until(jobId: string): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.#url}/v1/jobs/${jobId}/progress`, { headers: { Authorization: `Bearer ${this.#reader}` } });
      if (response.ok && ((await response.json()) as { offset: number }).offset > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20)); // nothing tells who may not follow it yet
    }
  }

  notify(users: string[], title: string, more: Record<string, unknown> = {}): Promise<void> {
    return this.publish({ kind: "NOTIFICATION", to: { users }, type: "test.note", title, body: "…", ...more });
  }

  job(jobId: string = randomUUID(), ownerId = "ana", more: Record<string, unknown> = {}): WorkedJob {
    return new WorkedJob(this, jobId, ownerId, more);
  }
}

export class WorkedJob {
  readonly id: string;
  readonly #worker: Worker;
  readonly #start: Record<string, unknown>;
  #count = 0;

  constructor(worker: Worker, id: string, ownerId: string, more: Record<string, unknown>) {
    this.#worker = worker;
    this.id = id;
    this.#start = { projectId: "demo", ownerId, ...more };
  }

  async start(scenarios = 4, features = 1): Promise<this> {
    await this.#worker.publish(
      { kind: "JOB", jobId: this.id, type: "JOB_STARTED", ...this.#start, totals: { scenarios, features } },
      { kind: "JOB", jobId: this.id, type: "JOB_STATUS_CHANGED", data: { currentStatus: "GENERATING" } },
    );
    await this.#stored();
    return this;
  }

  /** Completes `count` scenarios. */
  scenarios(count: number): Promise<void> {
    return this.#worker.publish(
      ...Array.from({ length: count }, () => {
        const n = ++this.#count;
        const data = { scenarioId: `s${n}`, featureId: "f1", featureName: "Gestão de Clientes", title: `Cenário ${n}`, stepsCount: 4 };
        return { kind: "JOB", jobId: this.id, type: "SCENARIO_COMPLETED", data };
      }),
    );
  }

  activity(scenarioTitle: string, featureName = "Gestão de Clientes"): Promise<void> {
    return this.#worker.publish({ kind: "ACTIVITY", jobId: this.id, activity: { featureName, scenarioTitle } });
  }

  event(type: string, data: Record<string, unknown>): Promise<void> {
    return this.#worker.publish({ kind: "JOB", jobId: this.id, type, data });
  }

  complete(): Promise<void> {
    return this.event("JOB_COMPLETED", { passed: this.#count, failed: 0 });
  }

  /** A job can be followed once the ingest worker has stored it: asks until it has. */
  async #stored(): Promise<void> {
    await this.#worker.until(this.id);
  }
}
