export { createHub, HubClient, type ChannelOptions, type HubOptions } from "./hub";
export { HubError } from "./errors";
export { emptyInbox, type InboxState, isUnread, view } from "./inbox";
export { durationMs, emptyJob, isTerminal, type Feed, type JobState } from "./job";
export type * from "./protocol";
export { isType } from "./protocol";
export type { ConnectionState, Status } from "./state";
export { type Readable, Store, until } from "./store";
export type { TokenSource } from "./token";
