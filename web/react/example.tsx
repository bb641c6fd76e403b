/** A page of an application: a job's progress, and what is unread. */
import { createHub } from "@notification-hub/client";
import { HubContext, useInbox, useJobProgress } from "@notification-hub/react";

const hub = createHub({ token: async () => (await fetch("/session/hub-token")).text() });

export function App({ jobId }: { jobId: string }) {
  return (
    <HubContext value={hub}>
      <Job id={jobId} />
      <Unread />
    </HubContext>
  );
}

function Job({ id }: { id: string }) {
  const { status, progress, activity, feed } = useJobProgress(id);
  if (feed === "loading") return <p>Loading…</p>;
  return (
    <section>
      <progress value={progress.percentage} max={100} aria-label={status ?? ""} />
      <p>{activity?.scenarioTitle ?? status}</p>
    </section>
  );
}

function Unread() {
  const { items, count, mark } = useInbox("UNREAD");
  return (
    <ul aria-label={`${count} unread`}>
      {items.map(({ id, title }) => (
        <li key={id}>
          {title} <button onClick={() => void mark([id], "READ")}>Read</button>
        </li>
      ))}
    </ul>
  );
}
