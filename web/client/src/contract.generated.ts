/**
 * The contract as TypeScript, made of /asyncapi.json and /openapi.json by `make types`. Not to be
 * edited: `protocol.ts` says what of it the SDK shows under which name.
 */

export const CONTRACT_VERSION = 1;

/** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
export type ChannelName = "all" | `job:${string}` | `user:${string}` | `topic:${string}`;

export type CodeName = "UNAUTHENTICATED" | "TOKEN_EXPIRED" | "INSUFFICIENT_PERMISSIONS" | "JOB_NOT_FOUND" | "NOT_FOUND" | "METHOD_NOT_ALLOWED" | "TOO_MANY_CONNECTIONS" | "RATE_LIMITED" | "INVALID_REQUEST" | "PAYLOAD_TOO_LARGE" | "IDLE_TIMEOUT" | "SLOW_CONSUMER" | "KICKED" | "BANNED" | "DRAINING" | "UNAVAILABLE" | "UNKNOWN_COMMAND" | "UNSUPPORTED_VERSION" | "CONFLICT" | "INTERNAL";

/** Jobs may have non-terminal statuses of their own. */
export type JobStatus = "CREATED" | "PLANNING" | "PLANNED" | "WAITING_APPROVAL" | "GENERATING" | "VALIDATING" | "COMPLETED" | "FAILED" | "CANCELLED" | (string & {});

/** Replaces the snapshot's `currentActivity`; null clears it. */
export interface Activity {
  jobId: string;
  id: string;
  activity: ActivityDetail | null;
  kind: "ACTIVITY";
}

/** What the job is doing right now; it changes the snapshot only and is never an event. */
export interface ActivityDetail {
  type?: string;
  featureName?: string;
  scenarioTitle?: string;
  stepTitle?: string;
  message?: string;
}

export interface AdminAuditAnswer {
  ok: true;
  data: AuditPage;
}

/** What an administrator sends with CONNECT. `v`: the version that it speaks. */
export interface AdminAuth {
  v?: 1 | null;
  token?: string | null;
}

export interface AdminAuthRefreshAnswer {
  ok: true;
  data: Refreshed;
}

export interface AdminBroadcastAnswer {
  ok: true;
  data: BroadcastReceipt;
}

export interface AdminConnectionsAnswer {
  ok: true;
  data: ConnectionPage;
}

export interface AdminDeadAnswer {
  ok: true;
  data: DeadLetterPage;
}

export interface AdminDeadDropAnswer {
  ok: true;
  data: Dropped;
}

export interface AdminDeadReplayAnswer {
  ok: true;
  data: Replayed;
}

/** The first event, where the version of the contract that the connection speaks will not be spoken any more. `v`: that one; `notices`: deprecations. */
export interface AdminHello {
  v: number;
  notices: Deprecation[];
}

/** A job as one of a list. */
export interface AdminJob {
  jobId: string;
  jobKind: string;
  projectId: string;
  ownerId: string;
  /** Jobs may have non-terminal statuses of their own. */
  status: JobStatus;
  progress: Progress;
  /** ISO 8601 in UTC, with milliseconds. */
  startedAt: string;
  /** ISO 8601 in UTC, with milliseconds. */
  updatedAt: string;
  endedAt: string | null;
}

/** A page of jobs. */
export interface AdminJobPage {
  items: AdminJob[];
  nextCursor: string | null;
}

export interface AdminJobsAnswer {
  ok: true;
  data: AdminJobPage;
}

export interface AdminKickAnswer {
  ok: true;
  data: KickedConnections;
}

export interface AdminRevokeAnswer {
  ok: true;
  data: Nothing;
}

export interface AdminStatsAnswer {
  ok: true;
  data: StatsFigures;
}

export interface AdminTailAnswer {
  ok: true;
  data: Tailed;
}

export interface AdminTraceAnswer {
  ok: true;
  data: Trace;
}

export interface AdminUnbanAnswer {
  ok: true;
  data: Nothing;
}

export interface AdminUntailAnswer {
  ok: true;
  data: Nothing;
}

/** What a service published on a topic, as `EVENT`. */
export interface ApplicationEvent {
  v: 1;
  id: string;
  channel: string;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  type: string;
  data: Record<string, unknown>;
}

/** What a notification can be marked as (contract section 4). */
export type As = "DISMISSED" | "READ" | "RESTORED" | "SEEN" | "UNREAD";

/** A page of the audit log, newest first. */
export interface AuditPage {
  items: AuditRecord[];
  nextCursor: string | null;
}

/** Which page of the audit log. */
export interface AuditPayload {
  cursor?: string | null;
}

/** Who did what, to whom, and what came of it: `OK` or a code. */
export interface AuditRecord {
  id: string;
  /** ISO 8601 in UTC, with milliseconds. */
  at: string;
  actor: string;
  action: string;
  target: string;
  outcome: string;
  details: Record<string, unknown>;
}

/** What a client sends with CONNECT; what is not named here is the application's own. `channels`: those that it resumes, with where it stands on each. `pid` and `offset` are the stock client's: whatever they are, they refuse nobody. */
export interface Auth {
  v?: 1 | null;
  token?: string | null;
  channels?: Record<string, Since>;
  pid?: unknown;
  offset?: unknown;
}

export interface AuthRefreshAnswer {
  ok: true;
  data: Refreshed;
}

/** `to`: `"all"`, `{users}`, `{topic}` or `{jobId}`. */
export interface Broadcast {
  title: string;
  body: string;
  to: "all" | ToUsers | ToTopic | ToJob;
  persist: boolean;
  severity?: "ERROR" | "INFO" | "SUCCESS" | "WARNING";
}

/** An administrator's word to whoever is connected: of no log, so without epoch and offset. */
export interface BroadcastEvent {
  type: "BROADCAST";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  data: BroadcastWords;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
}

/** The event's or notification's id; how many `connections` or `users` it went to. `missing`: the nodes that did not answer, and whose connections get it later or not. */
export interface BroadcastReceipt {
  id: string | null;
  connections?: number;
  users?: number;
  missing?: string[];
}

/** What an administrator says. */
export interface BroadcastWords {
  title: string;
  body: string;
  severity: "ERROR" | "INFO" | "SUCCESS" | "WARNING";
}

/** The fields of an entry that could never be processed. `p`: what was published, as it was; `reason`: why not; `entry`: its id on the journal. */
export interface BuriedPublication {
  p: string;
  reason: string;
  entry: string;
}

/** What became of notifications, by `ids` or `all` up to `upTo`. `topic`: whose subscription began or ended. `unread`: missing where an announcement ended. */
export interface ChangedNotifications {
  state: "DISMISSED" | "EXPIRED" | "PREFERENCES" | "READ" | "RESTORED" | "SEEN" | "SUBSCRIPTIONS" | "UNREAD";
  ids?: string[];
  all?: true;
  upTo?: string;
  topic?: string;
  unread?: UnreadCount;
}

/** A place in a channel's log. */
export interface ChannelPosition {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
}

/** Why the hub ends the connection, and whether to come back. */
export interface Closing {
  code: CodeName;
  message: string;
  reconnect: boolean;
  /** Seconds. */
  retryAfter?: number;
}

/** The figures of all nodes together; a user on two nodes counts twice. */
export interface ClusterFigures {
  connections: DoorCounts;
  users: number;
  channels: number;
  publicationsPerSecond: number;
  deliveriesPerSecond: number;
  latencyMs: LatencyFigures;
  outboxBytes: number;
  slowConsumers: number;
  dropped: number;
  memoryBytes: number;
  cpuPercent: number;
  startedAt: string | null;
  draining: boolean;
}

/** The job ended well. */
export interface Completion {
  status: "COMPLETED";
  summary: Summary;
}

/** `connect_error`: `message` is the code. */
export interface ConnectError {
  message: CodeName;
  data: ErrorFields;
}

/** CONNECT of the hub. `pid`: of Socket.IO's connection state recovery. */
export interface Connected {
  sid: string;
  pid?: string;
}

/** A page of connections. `missing`: the nodes that did not say which they have. */
export interface ConnectionPage {
  items: ListedConnection[];
  nextCursor: string | null;
  missing?: string[];
}

/** Which connections to list, by one of the two; all when neither is given. */
export interface Connections {
  userId?: string | null;
  jobId?: string | null;
  cursor?: string | null;
}

/** The notification. `unread`: of the user, on the user's own channel. `updated`: it took the place of an unread one with the same dedupe key. */
export interface CreatedNotification {
  id: string;
  type: string;
  title: string;
  body: string;
  severity: "ERROR" | "INFO" | "SUCCESS" | "WARNING";
  /** ISO 8601 in UTC, with milliseconds. */
  createdAt: string;
  seenAt: string | null;
  readAt: string | null;
  dismissedAt: string | null;
  scope: "ALL" | "TOPIC" | "USER";
  link?: string;
  data?: Record<string, unknown>;
  jobId?: string;
  actor?: string;
  /** ISO 8601 in UTC, with milliseconds. */
  expiresAt?: string;
  unread?: UnreadCount;
  updated?: boolean;
}

/** What the job is doing right now. */
export interface CurrentActivity {
  type: string;
  featureName?: string;
  scenarioTitle?: string;
  stepTitle?: string;
  message?: string;
}

/** A publication that could not be processed, and why. As text where it is no JSON. */
export interface DeadLetter {
  id: string;
  partition: number;
  reason: string;
  publication: unknown;
  /** ISO 8601 in UTC, with milliseconds. */
  at: string;
}

/** A page of dead letters, newest first. */
export interface DeadLetterPage {
  items: DeadLetter[];
  nextCursor: string | null;
}

/** Which page of the dead letters. */
export interface DeadPayload {
  cursor?: string | null;
}

/** Something that will not be served any more. `sunset`: from when on. */
export interface Deprecation {
  code: string;
  message: string;
  /** ISO 8601 in UTC, with milliseconds. */
  sunset?: string;
}

/** Connections by door. */
export interface DoorCounts {
  socketio: number;
  websocket: number;
  sse: number;
}

/** How many were thrown away, and what is not there any more. */
export interface Dropped {
  dropped: number;
  missing: string[];
}

/** What a manager of python-socketio publishes to emit an event. `data`: the event's arguments; `room`: the channels that it is for; `skip_sid`: connections that do not get it. Of anything else nothing is taken. */
export interface Emitted {
  method: "emit";
  event: string;
  data: unknown[];
  room: string | string[];
  namespace?: "/" | null;
  skip_sid?: string | string[] | null;
  callback?: null;
  binary?: false;
}

/** An event, the same JSON on every transport. */
export type Envelope = ScenarioCompletedEvent | FeatureCompletedEvent | ProgressUpdatedEvent | StatusChangedEvent | JobCompletedEvent | JobFailedEvent | NotificationCreatedEvent | NotificationsChangedEvent | BroadcastEvent | ApplicationEvent;

/** Where a request is wrong, named by its path. `supported`: of UNSUPPORTED_VERSION, the versions that are spoken. */
export interface ErrorDetail {
  field: string;
  message: string;
  supported?: number[];
}

/** A refusal. `retry`: whether the same may succeed later, `retryAfter` seconds from now. */
export interface ErrorFields {
  code: CodeName;
  message: string;
  retry: boolean;
  /** Seconds. */
  retryAfter?: number;
  details?: ErrorDetail[];
}

/** The job ended in an error. `failedAt`: its status before. */
export interface Failure {
  status: "FAILED";
  errorCode: string;
  message: string;
  /** Jobs may have non-terminal statuses of their own. */
  failedAt: JobStatus;
  lastSuccessfulScenario: string | null;
}

/** All scenarios of a feature were generated. */
export interface FeatureCompleted {
  featureId: string;
  name: string;
  scenariosCount: number;
  totalSteps: number;
}

/** All scenarios of a feature were generated. */
export interface FeatureCompletedEvent {
  type: "FEATURE_COMPLETED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: FeatureCompleted;
  progress: Progress;
}

/** All scenarios of a feature were generated. */
export interface FeatureCompletedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "FEATURE_COMPLETED";
  data: FeatureCompleted;
}

/** What is wrong with one parameter or field, named by its path. `index`: of the item. `supported`: of UNSUPPORTED_VERSION, the versions that are spoken. */
export interface FieldProblem {
  field: string;
  message: string;
  supported?: number[];
  index?: number;
}

/** The first event of every connection. `v`: the version of the contract that it speaks; `channels`: all that it follows; `notices`: deprecations. */
export interface Hello {
  v: number;
  sid: string;
  userId: string;
  /** ISO 8601 in UTC, with milliseconds. */
  serverTime: string;
  recovered: boolean;
  unread: UnreadCount;
  channels: ChannelPosition[];
  notices: Deprecation[];
}

/** Parameters of the history. */
export interface HistoryQuery {
  since?: string | null;
  type?: ("FEATURE_COMPLETED" | "JOB_COMPLETED" | "JOB_FAILED" | "JOB_STATUS_CHANGED" | "PROGRESS_UPDATED" | "SCENARIO_COMPLETED")[];
  /** Events on a page. */
  limit?: number;
  cursor?: string | null;
}

/** A ticket: good once, for 30 seconds. */
export interface IssuedTicket {
  ticket: string;
  /** ISO 8601 in UTC, with milliseconds. */
  expiresAt: string;
}

/** The job ended well; everything else of the summary is derived from its events. What is left out is 0. */
export interface JobCompleted {
  passed?: number;
  failed?: number;
}

/** The job ended well; nothing comes after it. */
export interface JobCompletedEvent {
  type: "JOB_COMPLETED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: Completion;
}

/** A job ended well. */
export interface JobCompletedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "JOB_COMPLETED";
  data?: JobCompleted;
}

/** The job ended in an error. */
export interface JobFailed {
  errorCode: string;
  message: string;
}

/** The job ended in an error; nothing comes after it. */
export interface JobFailedEvent {
  type: "JOB_FAILED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: Failure;
}

/** A job ended in an error. */
export interface JobFailedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "JOB_FAILED";
  data: JobFailed;
}

/** A page of a job's events, oldest first. */
export interface JobHistory {
  jobId: string;
  events: (ScenarioCompletedEvent | FeatureCompletedEvent | ProgressUpdatedEvent | StatusChangedEvent | JobCompletedEvent | JobFailedEvent)[];
  hasMore: boolean;
  nextCursor: string | null;
}

/** A page of jobs. */
export interface JobList {
  items: ListedJob[];
  nextCursor: string | null;
}

/** A job at a place in its log. `summary` and `failure`: how it ended. */
export interface JobSnapshot {
  jobId: string;
  jobKind: string;
  projectId: string;
  /** Jobs may have non-terminal statuses of their own. */
  status: JobStatus;
  progress: Progress;
  currentActivity: CurrentActivity | null;
  recentEvents: RecentEvent[];
  estimatedTimeRemaining: string | null;
  /** ISO 8601 in UTC, with milliseconds. */
  startedAt: string;
  /** ISO 8601 in UTC, with milliseconds. */
  updatedAt: string;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  endedAt?: string;
  /** ISO 8601, whole seconds. */
  duration?: string;
  summary?: Summary;
  failure?: Failure;
}

/** A job begins; it is stored as CREATED and is no event. */
export interface JobStarted {
  jobId: string;
  id: string;
  type: "JOB_STARTED";
  projectId: string;
  ownerId: string;
  jobKind?: string;
  watcherIds?: string[];
  totals?: Totals;
  important?: boolean;
  data?: Record<string, unknown>;
  kind: "JOB";
}

/** Which jobs to list. */
export interface Jobs {
  status?: string | null;
  cursor?: string | null;
}

/** Parameters of the list. */
export interface JobsQuery {
  projectId?: string | null;
  status?: string | null;
  /** Jobs on a page. */
  limit?: number;
  cursor?: string | null;
}

/** Exactly one of the first three. */
export interface KickPayload {
  userId?: string | null;
  sid?: string | null;
  jobId?: string | null;
  message?: string | null;
  banSeconds?: number | null;
}

/** How many connections were ended, and whose. `missing`: the nodes that did not answer, and do it when they are back. */
export interface KickedConnections {
  connections: number;
  users: string[];
  missing?: string[];
}

/** From publication to write, in milliseconds; null when nothing was written. */
export interface LatencyFigures {
  p50: number | null;
  p99: number | null;
}

/** Dead letters by their ids. */
export interface Letters {
  ids: string[];
}

/** Payload of `notifications:list`; the query of `GET /v1/notifications`. */
export interface ListNotifications {
  filter?: "ALL" | "DISMISSED" | "UNREAD";
  type?: string | null;
  limit?: number;
  cursor?: string | null;
}

/** A connection, wherever it is. */
export interface ListedConnection {
  sid: string;
  node: string;
  door: "SOCKETIO" | "SSE" | "WEBSOCKET";
  userId: string;
  address: string;
  channels: ChannelName[];
  /** ISO 8601 in UTC, with milliseconds. */
  connectedAt: string;
  outboxBytes: number;
}

/** A job as one of a list. */
export interface ListedJob {
  jobId: string;
  jobKind: string;
  projectId: string;
  ownerId: string;
  /** Jobs may have non-terminal statuses of their own. */
  status: JobStatus;
  progress: Progress;
  /** ISO 8601 in UTC, with milliseconds. */
  startedAt: string;
  /** ISO 8601 in UTC, with milliseconds. */
  updatedAt: string;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  endedAt?: string;
}

/** Parameters of the live doors. `epoch` and `offset`: after which event to go on. */
export interface LiveQuery {
  epoch?: string | null;
  offset?: number | null;
  ticket?: string | null;
  v?: 1 | null;
}

/** The process answers. */
export interface Liveness {
  status: "ok";
}

/** Payload of `notifications:mark`. `upTo` goes with `ids: "all"` only. */
export interface MarkNotifications {
  ids: string[] | "all";
  as: As;
  upTo?: string | null;
}

/** How many a mark changed, and what is unread now. */
export interface MarkedNotifications {
  changed: number;
  unread: UnreadCount;
}

/** The query of resources that take no parameters. */
export interface NoQuery {
  [name: string]: never;
}

/** The figures of one node. */
export interface NodeFigures {
  connections: DoorCounts;
  users: number;
  channels: number;
  publicationsPerSecond: number;
  deliveriesPerSecond: number;
  latencyMs: LatencyFigures;
  outboxBytes: number;
  slowConsumers: number;
  dropped: number;
  memoryBytes: number;
  cpuPercent: number;
  startedAt: string | null;
  draining: boolean;
  id: string;
}

/** There is nothing to say. */
export interface Nothing {
  [name: string]: never;
}

/** A message for people's inboxes. `dedupeKey`: per recipient, so with `to.users` only. `actor`: the user who caused it. */
export interface Notification {
  id: string;
  to: "all" | Recipients;
  type: string;
  title: string;
  body: string;
  severity?: "ERROR" | "INFO" | "SUCCESS" | "WARNING";
  /** http(s)://…, or a path on the same site. */
  link?: string;
  /** At most 16384 bytes of JSON, 32 levels, integers of 64 bits, and no NUL in a key. */
  data?: Record<string, unknown>;
  jobId?: string;
  expiresAt?: string;
  dedupeKey?: string;
  actor?: string;
  kind: "NOTIFICATION";
}

/** A notification for one user, or an announcement to a topic or to all. */
export interface NotificationCreatedEvent {
  type: "NOTIFICATION_CREATED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  data: CreatedNotification;
}

/** A notification as its user sees it. */
export interface NotificationItem {
  id: string;
  type: string;
  title: string;
  body: string;
  severity: "ERROR" | "INFO" | "SUCCESS" | "WARNING";
  /** ISO 8601 in UTC, with milliseconds. */
  createdAt: string;
  seenAt: string | null;
  readAt: string | null;
  dismissedAt: string | null;
  scope: "ALL" | "TOPIC" | "USER";
  link?: string;
  data?: Record<string, unknown>;
  jobId?: string;
  actor?: string;
  /** ISO 8601 in UTC, with milliseconds. */
  expiresAt?: string;
}

/** A page of an inbox, newest first. */
export interface NotificationPage {
  items: NotificationItem[];
  nextCursor: string | null;
  unread: UnreadCount;
}

/** The user marked notifications on some device, or they ended, or what comes in changed. */
export interface NotificationsChangedEvent {
  type: "NOTIFICATIONS_CHANGED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  data: ChangedNotifications;
}

export interface NotificationsListAnswer {
  ok: true;
  data: NotificationPage;
}

export interface NotificationsMarkAnswer {
  ok: true;
  data: MarkedNotifications;
}

/** What a user does not want to be notified of. */
export interface PreferencesDocument {
  mutedTypes: string[];
  mutedTopics: string[];
}

/** A refusal (RFC 9457). `requestId`: what the log calls the request; `details`: where the request is wrong. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  errorCode: CodeName;
  requestId: string;
  retry: boolean;
  retryAfter?: number;
  details?: FieldProblem[];
}

/** How far a job is. `percentage` has two decimals, and is 0 when the total is 0. */
export interface Progress {
  completedScenarios: number;
  totalScenarios: number;
  completedFeatures: number;
  totalFeatures: number;
  percentage: number;
}

/** Progress of a job without scenarios, in percent. */
export interface ProgressUpdated {
  percentage: number;
  message?: string;
}

/** Progress of a job without scenarios. */
export interface ProgressUpdatedEvent {
  type: "PROGRESS_UPDATED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: ProgressUpdated;
  progress: Progress;
}

/** A job without scenarios got further. */
export interface ProgressUpdatedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "PROGRESS_UPDATED";
  data: ProgressUpdated;
}

/** What a worker reports: at most 65536 bytes of JSON. */
export type Publication = JobStarted | Activity | Notification | TopicEvent | ScenarioCompletedPublication | FeatureCompletedPublication | StatusChangedPublication | JobCompletedPublication | JobFailedPublication | ProgressUpdatedPublication;

/** The body of the request. */
export interface PublishBody {
  items: Publication[];
}

/** What became of a call's publications. `ids`: of all of them, in their order. */
export interface PublishReceipt {
  accepted: number;
  duplicates: number;
  ids: string[];
}

/** The body of `PUT /v1/preferences`. */
export interface PutPreferences {
  mutedTypes?: string[];
  mutedTopics?: string[];
}

/** Whether the node takes clients, and the state of each store: `ok` or what is wrong. */
export interface Readiness {
  status: "draining" | "ready" | "unavailable";
  dependencies: Record<string, string>;
}

/** An event in short. */
export interface RecentEvent {
  type: string;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  scenarioId?: string;
  title?: string;
  featureId?: string;
  name?: string;
  previousStatus?: string;
  currentStatus?: string;
  status?: string;
  errorCode?: string;
  percentage?: number;
}

/** Addressed to these users, or to whoever follows the topic: exactly one of the two. */
export interface Recipients {
  users?: string[];
  topic?: string;
}

/** Payload of `auth:refresh`. */
export interface Refresh {
  token: string;
}

/** The connection goes on until then. `left`: channels that the new token does not allow. */
export interface Refreshed {
  /** ISO 8601 in UTC, with milliseconds. */
  expiresAt: string;
  left?: ChannelName[];
}

/** The acknowledgement of a command that was not carried out. */
export interface Refusal {
  ok: false;
  error: ErrorFields;
}

/** How many went back on their journals, and what is not there any more. */
export interface Replayed {
  replayed: number;
  missing: string[];
}

/** Not everything up to `offset` was or can be delivered on this channel: go on from there. `snapshot`: a job's, or the first page of the inbox on the user's own channel. */
export interface Reset {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  snapshot?: JobSnapshot | NotificationPage;
}

/** Exactly one of them. */
export interface Revoke {
  userId?: string | null;
  jti?: string | null;
}

/** One scenario was generated: the unit of visible progress. */
export interface ScenarioCompleted {
  scenarioId: string;
  featureId: string;
  featureName: string;
  title: string;
  stepsCount: number;
}

/** One scenario was generated: the unit of visible progress. */
export interface ScenarioCompletedEvent {
  type: "SCENARIO_COMPLETED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: ScenarioCompleted;
  progress: Progress;
}

/** A scenario of a job was generated. */
export interface ScenarioCompletedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "SCENARIO_COMPLETED";
  data: ScenarioCompleted;
}

/** A position that a client says it has. */
export interface Since {
  epoch?: string | null;
  offset?: number | null;
}

/** The figures of now. `history`: of the last fifteen minutes, where it was asked for. */
export interface StatsFigures {
  /** ISO 8601 in UTC, with milliseconds. */
  at: string;
  cluster: ClusterFigures;
  jobsLive: number;
  journalLag: number;
  nodes: NodeFigures[];
  history?: StatsMoment[];
}

/** The cluster's figures at one time. */
export interface StatsMoment {
  /** ISO 8601 in UTC, with milliseconds. */
  at: string;
  cluster: ClusterFigures;
  jobsLive: number;
  journalLag: number;
}

/** `history`: with the cluster's figures of the last fifteen minutes. */
export interface StatsPayload {
  history?: boolean;
}

/** The job went from one status to another. */
export interface StatusChange {
  /** Jobs may have non-terminal statuses of their own. */
  previousStatus: JobStatus;
  /** Jobs may have non-terminal statuses of their own. */
  currentStatus: JobStatus;
  message?: string;
}

/** The job entered `current_status`; CANCELLED is the only terminal one reported this way. */
export interface StatusChanged {
  currentStatus: string;
  message?: string;
}

/** The job entered another status. */
export interface StatusChangedEvent {
  type: "JOB_STATUS_CHANGED";
  v: 1;
  id: string;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  /** ISO 8601 in UTC, with milliseconds. */
  timestamp: string;
  jobId: string;
  data: StatusChange;
}

/** A job entered another status. */
export interface StatusChangedPublication {
  id: string;
  kind: "JOB";
  jobId: string;
  type: "JOB_STATUS_CHANGED";
  data: StatusChanged;
}

/** The job has ended and everything of it was sent: the stream closes. */
export interface StreamEnd {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
}

/** The same on raw WebSocket and Server-Sent Events. */
export interface StreamReset {
  type: "RESET";
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  snapshot?: JobSnapshot;
}

/** Payload of `subscribe`. `offset` 0 needs no epoch: it asks for the log from its start. */
export interface Subscribe {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: string;
  epoch?: string | null;
  offset?: number | null;
}

export interface SubscribeAnswer {
  ok: true;
  data: Subscribed;
}

/** The channel is followed from `offset` on; `events` come before. `snapshot`: a job's. */
export interface Subscribed {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  epoch: string;
  /** Rises by exactly 1 per event of a channel. */
  offset: number;
  mode: "FRESH" | "REPLAYED" | "RESET";
  events: Envelope[];
  snapshot?: JobSnapshot;
}

/** What a job came to. */
export interface Summary {
  featuresGenerated: number;
  scenariosGenerated: number;
  totalSteps: number;
  passed: number;
  failed: number;
  /** ISO 8601, whole seconds. */
  duration: string;
}

/** Exactly one of them. */
export interface TailPayload {
  userId?: string | null;
  jobId?: string | null;
  sid?: string | null;
}

/** A step of an event's way. `at`: null of a write that has not happened. */
export interface TailStep {
  step: "ROUTED" | "STORED" | "WRITTEN";
  at: string | null;
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: ChannelName;
  type: string;
  node: string;
  id: string;
  sid?: string;
  userId?: string;
  door?: string;
}

/** What is shown from now on. */
export interface Tailed {
  /** A channel, or `sid:<sid>`. */
  channel: string;
}

/** To who follows a job. */
export interface ToJob {
  jobId: string;
}

/** To who follows a topic. */
export interface ToTopic {
  topic: string;
}

/** To the inboxes or connections of these users. */
export interface ToUsers {
  users: string[];
}

/** The token ends in a minute: send `auth:refresh`. */
export interface TokenExpiring {
  /** ISO 8601 in UTC, with milliseconds. */
  expiresAt: string;
}

/** Any event of a team's own on a topic. */
export interface TopicEvent {
  id: string;
  channel: string;
  type: string;
  /** At most 32 levels, integers of 64 bits, and no NUL in a key. */
  data: Record<string, unknown>;
  kind: "EVENT";
}

/** How much a job will produce; 0 while unknown. */
export interface Totals {
  scenarios?: number;
  features?: number;
}

/** What is known of an event's way. */
export interface Trace {
  id: string;
  state: "DEAD" | "STORED" | "WAITING";
  channel: ChannelName | null;
  type: string | null;
  acceptedAt: string | null;
  storedAt: string | null;
  nodes: TracedNode[];
  writes: TracedWrite[];
  seenAt: string | null;
  readAt: string | null;
  partition?: number;
  dead?: TracedLetter;
}

/** Exactly one of them. */
export interface TracePayload {
  notificationId?: string | null;
  eventId?: string | null;
}

/** The dead letter that the event is. */
export interface TracedLetter {
  id: string;
  partition: number;
  reason: string;
}

/** A node that passed the event on. */
export interface TracedNode {
  id: string;
  routedAt: string | null;
}

/** A connection that the event was written to. */
export interface TracedWrite {
  sid: string;
  userId: string;
  door: "SOCKETIO" | "SSE" | "WEBSOCKET";
  writtenAt: string | null;
}

/** Whom to let in again. */
export interface Unban {
  userId: string;
}

/** How much is unread, exactly. `version` never goes back for a user, on any device. */
export interface UnreadCount {
  count: number;
  version: number;
}

/** Payload of `unsubscribe`. */
export interface Unsubscribe {
  /** `job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`. */
  channel: string;
}

export interface UnsubscribeAnswer {
  ok: true;
  data: Nothing;
}

/** Exactly one of them, or nothing at all: then everything. */
export interface UntailPayload {
  userId?: string | null;
  jobId?: string | null;
  sid?: string | null;
}

/** Commands of the namespace `/`. What each takes, and what its acknowledgement brings. */
export interface MainCommands {
  subscribe: [Subscribe, Subscribed];
  unsubscribe: [Unsubscribe, Nothing];
  "notifications:list": [ListNotifications, NotificationPage];
  "notifications:mark": [MarkNotifications, MarkedNotifications];
  "auth:refresh": [Refresh, Refreshed];
}

/** Commands of the namespace `/admin`. What each takes, and what its acknowledgement brings. */
export interface AdminCommands {
  stats: [StatsPayload, StatsFigures];
  connections: [Connections, ConnectionPage];
  kick: [KickPayload, KickedConnections];
  unban: [Unban, Nothing];
  revoke: [Revoke, Nothing];
  broadcast: [Broadcast, BroadcastReceipt];
  jobs: [Jobs, AdminJobPage];
  trace: [TracePayload, Trace];
  tail: [TailPayload, Tailed];
  untail: [UntailPayload, Nothing];
  dead: [DeadPayload, DeadLetterPage];
  "dead:replay": [Letters, Replayed];
  "dead:drop": [Letters, Dropped];
  audit: [AuditPayload, AuditPage];
  "auth:refresh": [Refresh, Refreshed];
}

/** `data` by the event's type. */
export interface DataByType {
  SCENARIO_COMPLETED: ScenarioCompleted;
  FEATURE_COMPLETED: FeatureCompleted;
  PROGRESS_UPDATED: ProgressUpdated;
  JOB_STATUS_CHANGED: StatusChange;
  JOB_COMPLETED: Completion;
  JOB_FAILED: Failure;
  NOTIFICATION_CREATED: CreatedNotification;
  NOTIFICATIONS_CHANGED: ChangedNotifications;
  BROADCAST: BroadcastWords;
}
