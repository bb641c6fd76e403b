/**
 * The wire contract as the SDK speaks it: names for what `contract.generated.ts` has, which is made of
 * the hub's own documents, and what TypeScript can say beyond a schema.
 */
import {
  type ChannelName, CONTRACT_VERSION, type CodeName, type CurrentActivity, type CreatedNotification,
  type DataByType, type Deprecation, type ErrorFields as HubErrorFields, type Failure, type Hello,
  type JobSnapshot, type JobStatus, type ListNotifications, type MainCommands, type MarkNotifications,
  type NotificationItem, type NotificationPage, type PreferencesDocument, type Progress, type Reset,
  type ChannelPosition, type Closing as HubClosing, type Subscribed as HubSubscribed,
  type Summary, type TokenExpiring, type UnreadCount,
} from "./contract.generated";

export type {
  ChannelName, Deprecation, Failure, Hello, JobSnapshot, JobStatus, NotificationPage, Progress, Reset,
  Summary,
};

export const PROTOCOL_VERSION = CONTRACT_VERSION;

/** A place in a channel's log. `offset` rises by 1 per event; `epoch` changes when a log began anew. */
export type Position = Omit<ChannelPosition, "channel">;
export type Unread = UnreadCount;

// -- jobs -------------------------------------------------------------------------------------

export type TerminalStatus = "COMPLETED" | "FAILED" | "CANCELLED";
/** Without those that jobs may have of their own. */
export type KnownStatus = Exclude<JobStatus, string & {}>;
export type Activity = CurrentActivity;

/** The hub takes null for what is not given; the SDK leaves it out. */
type Given<Payload> = { [Name in keyof Payload]: Exclude<Payload[Name], null> };

// -- notifications ----------------------------------------------------------------------------

export type Notification = NotificationItem;
export type Preferences = PreferencesDocument;
export type Severity = NotificationItem["severity"];
export type ListPayload = Given<ListNotifications>;
export type MarkPayload = Given<MarkNotifications>;
export type Filter = NonNullable<ListNotifications["filter"]>;
export type Mark = MarkNotifications["as"];

// -- events -----------------------------------------------------------------------------------

/** The `data` of every event type that the hub itself knows. */
export type EventData = DataByType;
export type KnownType = keyof EventData;
export type { CreatedNotification };

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

/** Of the hub's catalogue, or one that the SDK gives itself. */
export type Code = CodeName | (string & {});
export type ErrorFields = Omit<HubErrorFields, "code"> & { code: Code };
export type Closing = Omit<HubClosing, "code"> & { code: Code };

export interface ServerEvents {
  hello: (hello: Hello) => void;
  event: (envelope: Envelope) => void;
  reset: (reset: Reset) => void;
  "token-expiring": (expiring: TokenExpiring) => void;
  closing: (closing: Closing) => void;
}

export type Subscribed = Omit<HubSubscribed, "events"> & { events: Envelope[] };

/** Every command: what it takes and what its acknowledgement brings. */
export type Commands = Omit<MainCommands, "subscribe"> & {
  subscribe: [MainCommands["subscribe"][0], Subscribed];
};
export type Command = keyof Commands;
export type Payload<Name extends Command> = Commands[Name][0];
export type Answer<Name extends Command> = Commands[Name][1];
export type Ack<Data> = { ok: true; data: Data } | { ok: false; error: ErrorFields };

export type ClientEvents = {
  [Name in Command]: (payload: Payload<Name>, ack: (answer: Ack<Answer<Name>>) => void) => void;
};
