/** A job as its events and snapshots make it. Pure: the same input gives the same state. */
import type {
  Activity, Envelope, Failure, JobSnapshot, JobStatus, Position, Progress, Summary,
} from "./protocol";
import { isType } from "./protocol";

/** How the state is kept up to date. */
export type Feed = "loading" | "live" | "polling" | "stale" | "ended" | "error";

export interface JobState {
  jobId: string;
  feed: Feed;
  kind: string | null;
  status: JobStatus | null;
  progress: Progress;
  activity: Activity | null;
  /** The job's events, oldest first, each once; at most the last 500. */
  events: Envelope[];
  startedAt: string | null;
  updatedAt: string | null;
  endedAt: string | null;
  /** ISO 8601 duration as of `estimatedAt` (ms of this machine's clock). */
  estimatedTimeRemaining: string | null;
  estimatedAt: number;
  duration: string | null;
  summary: Summary | null;
  failure: Failure | null;
  position: Position | null;
  error: { code: string; message: string } | null;
}

const KEPT = 500;
const TERMINAL = new Set<string>(["COMPLETED", "FAILED", "CANCELLED"]);

/** Whether a job never leaves this status. */
export const isTerminal = (status: JobStatus | null): boolean => status !== null && TERMINAL.has(status);

export function emptyJob(jobId: string): JobState {
  return {
    jobId, feed: "loading", kind: null, status: null,
    progress: {
      completedScenarios: 0, totalScenarios: 0, completedFeatures: 0, totalFeatures: 0, percentage: 0,
    },
    activity: null, events: [], startedAt: null, updatedAt: null, endedAt: null,
    estimatedTimeRemaining: null, estimatedAt: 0, duration: null, summary: null, failure: null,
    position: null, error: null,
  };
}

/** What an event is to somebody at `position`. */
export function placeOf(position: Position | null, event: Position): "next" | "known" | "gap" | "anew" {
  if (position === null) return "next";
  if (event.epoch !== position.epoch) return "anew";
  if (event.offset <= position.offset) return "known";
  return event.offset === position.offset + 1 ? "next" : "gap";
}

/** The state after `event`; what it knows already changes nothing. */
export function withEvent(state: JobState, event: Envelope): JobState {
  const place = placeOf(state.position, event);
  if (place === "known") return state;
  const known = place === "anew" ? [] : state.events;
  const next: JobState = {
    ...state,
    events: [...known, event].slice(-KEPT),
    position: { epoch: event.epoch, offset: event.offset },
    updatedAt: event.timestamp,
    progress: event.progress ?? state.progress,
    error: null,
  };
  if (isType(event, "JOB_STATUS_CHANGED")) next.status = event.data.currentStatus;
  if (isType(event, "PROGRESS_UPDATED")) {
    next.progress = { ...next.progress, percentage: event.data.percentage };
  }
  if (isType(event, "JOB_COMPLETED")) {
    next.status = "COMPLETED";
    next.summary = event.data.summary;
    next.duration = event.data.summary.duration;
  }
  if (isType(event, "JOB_FAILED")) {
    next.status = "FAILED";
    next.failure = event.data;
  }
  if (isTerminal(next.status)) {
    Object.assign(next, {
      feed: "ended", activity: null, estimatedTimeRemaining: null, endedAt: event.timestamp,
    });
  }
  return next;
}

/** Adds events that were missed, or that came by polling, in any order, each once. */
export function withHistory(state: JobState, events: readonly Envelope[]): JobState {
  const epoch = state.position?.epoch ?? events[0]?.epoch;
  const known = new Map(state.events.map((event) => [event.offset, event]));
  for (const event of events) if (event.epoch === epoch) known.set(event.offset, event);
  if (known.size === state.events.length) return state;
  const all = [...known.values()].sort((a, b) => a.offset - b.offset);
  return { ...state, events: all.slice(-KEPT) };
}

/** The state as the snapshot says, unless it knows more already. `now`: ms. */
export function withSnapshot(state: JobState, snapshot: JobSnapshot, now = Date.now()): JobState {
  const at = state.position;
  const anew = at !== null && at.epoch !== snapshot.epoch;
  if (at !== null && !anew && snapshot.offset < at.offset) return state;
  return {
    ...state,
    events: anew ? [] : state.events,
    kind: snapshot.jobKind,
    status: snapshot.status,
    progress: snapshot.progress,
    activity: snapshot.currentActivity,
    startedAt: snapshot.startedAt,
    updatedAt: snapshot.updatedAt,
    endedAt: snapshot.endedAt ?? null,
    duration: snapshot.duration ?? null,
    estimatedTimeRemaining: snapshot.estimatedTimeRemaining,
    estimatedAt: now,
    summary: snapshot.summary ?? null,
    failure: snapshot.failure ?? null,
    position: { epoch: snapshot.epoch, offset: snapshot.offset },
    feed: isTerminal(snapshot.status) ? "ended" : state.feed,
    error: null,
  };
}

/** What a job is doing now and how long it will take: of a snapshot that came beside live events. */
export function withActivity(state: JobState, snapshot: JobSnapshot, now = Date.now()): JobState {
  const at = state.position;
  if (at === null || at.epoch !== snapshot.epoch || snapshot.offset < at.offset) return state;
  if (isTerminal(state.status)) return state;
  return {
    ...state,
    activity: snapshot.currentActivity,
    estimatedTimeRemaining: snapshot.estimatedTimeRemaining,
    estimatedAt: now,
  };
}

/** Milliseconds of an ISO 8601 duration such as `PT1H5M30.5S`; null for anything else. */
export function durationMs(text: string | null | undefined): number | null {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text ?? "");
  if (!found) return null;
  const [days, hours, minutes, seconds] = found.slice(1).map((part) => Number(part ?? 0));
  return (((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!) * 1000;
}
