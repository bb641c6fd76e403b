/** What the panel offers to publish on a channel. */

const TEXT = "from the documents";
const steps = (ownerId: string): object[] => [
  { type: "JOB_STARTED", projectId: "demo", ownerId, totals: { scenarios: 1 } },
  { type: "JOB_STATUS_CHANGED", data: { currentStatus: "GENERATING" } },
  { type: "SCENARIO_COMPLETED", data: { scenarioId: "s1", featureId: "f1", featureName: "Login", title: "Valid password", stepsCount: 4 } },
  { type: "JOB_COMPLETED", data: { passed: 1, failed: 0 } },
];

/** A short life of the channel's job, an event of its topic, or a notification to whom it belongs. */
export function publicationsFor(channel: string, user: string): object[] {
  const [kind, subject] = [channel.slice(0, channel.indexOf(":")), channel.slice(channel.indexOf(":") + 1)];
  const id = (): string => crypto.randomUUID();
  if (kind === "job") return steps(user).map((step) => ({ id: id(), kind: "JOB", jobId: subject, ...step }));
  if (kind === "topic") return [{ id: id(), kind: "EVENT", channel, type: "TRY_IT", data: { text: TEXT } }];
  const to = channel === "all" ? channel : { users: [kind === "user" ? subject : user] };
  return [{ id: id(), kind: "NOTIFICATION", to, type: "try.it", title: "Hello", body: TEXT }];
}

/** The channels of the jobs that publications start. */
export function jobsOf(items: unknown): string[] {
  if (!Array.isArray(items)) return [];
  const started = (items as { type?: unknown; jobId?: unknown }[]).filter((each) => each?.type === "JOB_STARTED");
  return started.map(({ jobId }) => `job:${String(jobId)}`);
}

/** The name of a job's channel with the next number at its end. */
export function next(channel: string): string {
  const [, name, number] = /^(.*?)(?:-(\d{1,4}))?$/.exec(channel)!;
  return `${name}-${Number(number ?? 1) + 1}`;
}
