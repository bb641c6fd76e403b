/** The console: its elements, and what this tab had before a reload. */
import { HubStatusBadge } from "../components/src/status-badge";
import { ConsoleApp } from "./app";
import { ConsoleChart } from "./chart";
import { ConsoleConfirm, ConsoleDialog } from "./dialog";
import { ConsoleKick } from "./kick";
import { ConsoleLogin } from "./login";
import { remembered, resume } from "./session";
import { ConsoleTable } from "./table";
import { ConsoleAccess } from "./views/access";
import { ConsoleAudit } from "./views/audit";
import { ConsoleBroadcast } from "./views/broadcast";
import { ConsoleConnections } from "./views/connections";
import { ConsoleDead } from "./views/dead";
import { ConsoleJobs } from "./views/jobs";
import { ConsoleOverview } from "./views/overview";
import { ConsoleTail } from "./views/tail";
import { ConsoleTrace } from "./views/trace";

remembered();
resume();
const ELEMENTS = {
  "hub-status-badge": HubStatusBadge,
  "console-table": ConsoleTable,
  "console-chart": ConsoleChart,
  "console-dialog": ConsoleDialog,
  "console-confirm": ConsoleConfirm,
  "console-kick": ConsoleKick,
  "console-login": ConsoleLogin,
  "console-overview": ConsoleOverview,
  "console-connections": ConsoleConnections,
  "console-access": ConsoleAccess,
  "console-broadcast": ConsoleBroadcast,
  "console-jobs": ConsoleJobs,
  "console-trace": ConsoleTrace,
  "console-tail": ConsoleTail,
  "console-dead": ConsoleDead,
  "console-audit": ConsoleAudit,
  "console-app": ConsoleApp,
};
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
