/**
 * The wire contract, version 1, as TypeScript: what the hub sends and takes, on Socket.IO and HTTP.
 * The one file of the SDK that knows it; everything else imports from here.
 */

export const PROTOCOL_VERSION = 1;

/** A place in a channel's log. `offset` rises by 1 per event; `epoch` changes when a log began anew. */
export interface Position {
  epoch: string;
  offset: number;
}

/** `job:<id>`, `user:<id>`, `topic:<name>` or `all`. */
export type ChannelName = `job:${string}` | `user:${string}` | `topic:${string}` | "all";

export interface Unread {
  count: number;
  /** Never goes back for a user, on any device. */
  version: number;
}

// -- jobs -------------------------------------------------------------------------------------

export type TerminalStatus = "COMPLETED" | "FAILED" | "CANCELLED";
export type KnownStatus =
  | "CREATED" | "PLANNING" | "PLANNED" | "WAITING_APPROVAL" | "GENERATING" | "VALIDATING"
  | TerminalStatus;
/** Jobs may have non-terminal statuses of their own. */
export type JobStatus = KnownStatus | (string & {});

export interface Progress {
  completedScenarios: number;
  totalScenarios: number;
  completedFeatures: number;
  totalFeatures: number;
  percentage: number;
}

export interface Activity {
  type: string;
  featureName?: string;
  scenarioTitle?: string;
  stepTitle?: string;
}

export interface Summary {
  featuresGenerated: number;
  scenariosGenerated: number;
  totalSteps: number;
  passed: number;
  failed: number;
  /** ISO 8601, as `PT5M30S`. */
  duration: string;
}

export interface Failure {
  status: "FAILED";
  errorCode: string;
  message: string;
  failedAt: JobStatus;
  lastSuccessfulScenario: string | null;
}

/** What a poll of a job answers, and what comes with `subscribe` and `reset`. */
export interface JobSnapshot extends Position {
  jobId: string;
  jobKind: string;
  projectId: string;
  status: JobStatus;
  progress: Progress;
  currentActivity: Activity | null;
  recentEvents: { type: string; timestamp: string; [key: string]: unknown }[];
  estimatedTimeRemaining: string | null;
  startedAt: string;
  updatedAt: string;
  endedAt?: string;
  duration?: string;
  summary?: Summary;
  failure?: Failure;
}

// -- notifications ----------------------------------------------------------------------------

export type Severity = "INFO" | "SUCCESS" | "WARNING" | "ERROR";
export type Filter = "UNREAD" | "ALL" | "DISMISSED";
export type Mark = "SEEN" | "READ" | "UNREAD" | "DISMISSED" | "RESTORED";

export interface Notification {
  id: string;
  type: string;
  title: string;
  body: string;
  severity: Severity;
  link?: string;
  data?: Record<string, unknown>;
  jobId?: string;
  actor?: string;
  createdAt: string;
  seenAt: string | null;
  readAt: string | null;
  dismissedAt: string | null;
  expiresAt?: string;
  scope: "USER" | "TOPIC" | "ALL";
}

export interface NotificationPage {
  items: Notification[];
  nextCursor: string | null;
  unread: Unread;
}

export interface Preferences {
  mutedTypes: string[];
  mutedTopics: string[];
}

// -- events -----------------------------------------------------------------------------------

/** The `data` of every event type that the hub itself knows. */
export interface EventData {
  SCENARIO_COMPLETED: {
    scenarioId: string; featureId: string; featureName: string; title: string; stepsCount: number;
  };
  FEATURE_COMPLETED: { featureId: string; name: string; scenariosCount: number; totalSteps: number };
  JOB_STATUS_CHANGED: { previousStatus: JobStatus; currentStatus: JobStatus; message?: string };
  PROGRESS_UPDATED: { percentage: number; message?: string };
  JOB_COMPLETED: { status: "COMPLETED"; summary: Summary };
  JOB_FAILED: Failure;
  NOTIFICATION_CREATED: Notification & { unread?: Unread; updated?: boolean };
  NOTIFICATIONS_CHANGED: {
    /** Without `unread` only where an announcement ended, which is the same event for everyone. */
    ids?: string[]; all?: true; upTo?: string; unread?: Unread;
    state: Mark | "EXPIRED" | "PREFERENCES" | "SUBSCRIPTIONS";
  };
  BROADCAST: { title: string; body: string; severity: Severity };
}
export type KnownType = keyof EventData;

/** Any event, also those that an application publishes itself on topics; `isType` narrows it. */
export interface Envelope<Type extends string = string, Data = unknown> {
  v: 1;
  id: string;
  channel: ChannelName;
  /** `epoch` and `offset` are missing where nothing is stored (BROADCAST). */
  epoch: string;
  offset: number;
  type: Type;
  jobId?: string;
  data: Data;
  progress?: Progress;
  timestamp: string;
}

/** Whether the envelope is of this type. */
export function isType<Type extends KnownType>(
  envelope: Envelope, type: Type,
): envelope is Envelope<Type, EventData[Type]> {
  return envelope.type === type;
}

// -- Socket.IO --------------------------------------------------------------------------------

export interface Hello {
  v: number;
  sid: string;
  userId: string;
  serverTime: string;
  recovered: boolean;
  unread: Unread;
  channels: (Position & { channel: ChannelName })[];
  notices?: { code: string; message: string; sunset?: string }[];
}

export interface Reset extends Position {
  channel: ChannelName;
  /** A job's snapshot, or the first page of the inbox on `user:`. */
  snapshot?: JobSnapshot | NotificationPage;
}

export interface Closing {
  code: Code;
  message: string;
  reconnect: boolean;
  /** Seconds. */
  retryAfter?: number;
}

export interface ServerEvents {
  hello: (hello: Hello) => void;
  event: (envelope: Envelope) => void;
  reset: (reset: Reset) => void;
  "token-expiring": (expiring: { expiresAt: string }) => void;
  closing: (closing: Closing) => void;
}

export interface Subscribed extends Position {
  channel: ChannelName;
  mode: "FRESH" | "REPLAYED" | "RESET";
  events: Envelope[];
  snapshot?: JobSnapshot;
}

export interface MarkPayload {
  ids: string[] | "all";
  as: Mark;
  upTo?: string;
}

export interface ListPayload {
  filter?: Filter;
  type?: string;
  limit?: number;
  cursor?: string;
}

/** Every command: what it takes and what its acknowledgement brings. */
export interface Commands {
  subscribe: [{ channel: string; epoch?: string; offset?: number }, Subscribed];
  unsubscribe: [{ channel: string }, Record<string, never>];
  "notifications:list": [ListPayload, NotificationPage];
  "notifications:mark": [MarkPayload, { changed: number; unread: Unread }];
  "auth:refresh": [{ token: string }, { expiresAt: string }];
}
export type Command = keyof Commands;
export type Payload<Name extends Command> = Commands[Name][0];
export type Answer<Name extends Command> = Commands[Name][1];

export interface ErrorFields {
  code: Code;
  message: string;
  retry: boolean;
  retryAfter?: number;
  details?: { field: string; message: string }[];
}
export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: ErrorFields };

export type ClientEvents = {
  [Name in Command]: (payload: Payload<Name>, ack: (answer: Ack<Answer<Name>>) => void) => void;
};

export type Code =
  | "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "INSUFFICIENT_PERMISSIONS" | "JOB_NOT_FOUND"
  | "TOO_MANY_CONNECTIONS" | "RATE_LIMITED" | "INVALID_REQUEST" | "PAYLOAD_TOO_LARGE"
  | "IDLE_TIMEOUT" | "SLOW_CONSUMER" | "KICKED" | "BANNED" | "DRAINING" | "UNAVAILABLE"
  | "UNKNOWN_COMMAND" | "UNSUPPORTED_VERSION" | "CONFLICT" | "INTERNAL"
  | (string & {});
