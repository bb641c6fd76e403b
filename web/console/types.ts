/** What the namespace `/admin` gives: contract sections 9 and 10, docs/administration.md. */
import type { JobStatus, Progress, Severity } from "@notification-hub/client";

/** Figures of a node, or of all. Rates and latencies are of the last two seconds. */
export interface Figures {
  connections: { socketio: number; websocket: number; sse: number };
  users: number;
  channels: number;
  publicationsPerSecond: number;
  deliveriesPerSecond: number;
  /** `null` when nothing was delivered. */
  latencyMs: { p50: number | null; p99: number | null };
  outboxBytes: number;
  slowConsumers: number;
  dropped: number;
  memoryBytes: number;
  cpuPercent: number;
  startedAt: string | null;
  draining: boolean;
}

export interface NodeFigures extends Figures {
  id: string;
}

/** The cluster at an instant. */
export interface Moment {
  at: string;
  cluster: Figures;
  jobsLive: number;
  /** Publications that wait on the journals. */
  journalLag: number;
}

export interface Stats extends Moment {
  nodes: NodeFigures[];
}

export type Door = "SOCKETIO" | "WEBSOCKET" | "SSE";

export interface Connection {
  sid: string;
  node: string;
  door: Door;
  userId: string;
  address: string;
  channels: string[];
  connectedAt: string;
  outboxBytes: number;
}

export interface Job {
  jobId: string;
  jobKind: string;
  projectId: string;
  ownerId: string;
  status: JobStatus;
  progress: Progress;
  startedAt: string;
  updatedAt: string;
  endedAt: string | null;
}

export interface Letter {
  id: string;
  partition: number;
  reason: string;
  /** As it was published; the beginning of the text where that is no JSON. */
  publication: unknown;
  at: string;
}

export interface AuditRecord {
  id: string;
  at: string;
  actor: string;
  action: string;
  target: string;
  /** `OK`, else the code that the command was refused with. */
  outcome: string;
  details?: Record<string, unknown>;
}

export interface Trace {
  id: string;
  state: "STORED" | "WAITING" | "DEAD";
  channel: string | null;
  type: string | null;
  acceptedAt: string | null;
  storedAt: string | null;
  nodes: { id: string; routedAt: string | null }[];
  writes: { sid: string; userId: string; door: Door; writtenAt: string }[];
  seenAt: string | null;
  readAt: string | null;
  /** Of one that waits or is dead. */
  partition?: number;
  dead?: { id: string; partition: number; reason: string };
}

export interface TailStep {
  id: string;
  step: "STORED" | "ROUTED" | "WRITTEN";
  at: string;
  channel: string;
  type: string;
  node: string;
  sid?: string;
  userId?: string;
  door?: Door;
}

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** One of the three. */
export type Target = { userId: string } | { sid: string } | { jobId: string };
export type Audience = "all" | { users: string[] } | { topic: string } | { jobId: string };

/** Each command's payload, and what it is answered with. */
export interface Commands {
  stats: [{ history?: boolean }, Stats & { history?: Moment[] }];
  connections: [{ userId?: string; jobId?: string; cursor?: string }, Page<Connection>];
  kick: [Target & { message?: string; banSeconds?: number }, { connections: number; users: string[] }];
  unban: [{ userId: string }, Record<string, never>];
  revoke: [{ userId: string } | { jti: string }, Record<string, never>];
  broadcast: [
    { title: string; body: string; severity: Severity; to: Audience; persist: boolean },
    { id: string | null; connections?: number; users?: number }, // no id: nobody was addressed
  ];
  jobs: [{ status?: string; cursor?: string }, Page<Job>];
  trace: [{ eventId: string }, Trace];
  tail: [Target, { channel: string }];
  untail: [Target | Record<string, never>, Record<string, never>];
  dead: [{ cursor?: string }, Page<Letter>];
  "dead:replay": [{ ids: string[] }, { replayed: number; missing: string[] }];
  "dead:drop": [{ ids: string[] }, { dropped: number; missing: string[] }];
  audit: [{ cursor?: string }, Page<AuditRecord>];
}
export type CommandName = keyof Commands;
