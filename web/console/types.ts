/** What the namespace `/admin` takes and gives, by the console's names for it: contract sections 9 and 10,
 * docs/administration.md. */
import type {
  AdminCommands, AdminJob, AuditRecord, ClusterFigures, DeadLetter, ListedConnection, NodeFigures,
  StatsFigures, StatsMoment, TailStep, Trace,
} from "../client/src/contract.generated";

export type { AuditRecord, NodeFigures, TailStep, Trace };
export type Commands = AdminCommands;
export type CommandName = keyof Commands;
export type Figures = ClusterFigures;
export type Moment = StatsMoment;
export type Stats = StatsFigures;
export type Connection = ListedConnection;
export type Job = AdminJob;
export type Letter = DeadLetter;

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
}

/** One of the three. */
export type Target = { userId: string } | { sid: string } | { jobId: string };
export type Audience = Commands["broadcast"][0]["to"];
