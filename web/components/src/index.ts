/** The components, registered under their names. Give them a client with `setHub`, `<hub-scope>` or
 * their property `client`. */
import { HubScope, setHub } from "./base";
import { HubBell } from "./bell";
import { HubConnection } from "./connection";
import { HubInbox } from "./inbox";
import { HubJobProgress } from "./job-progress";
import { HubStatusBadge } from "./status-badge";
import { HubToasts } from "./toasts";

const ELEMENTS = {
  "hub-scope": HubScope,
  "hub-status-badge": HubStatusBadge,
  "hub-job-progress": HubJobProgress,
  "hub-inbox": HubInbox,
  "hub-bell": HubBell,
  "hub-toasts": HubToasts,
  "hub-connection": HubConnection,
} as const;

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element as CustomElementConstructor);
}

export { HubBell, HubConnection, HubInbox, HubJobProgress, HubScope, HubStatusBadge, HubToasts, setHub };

declare global {
  interface HTMLElementTagNameMap {
    "hub-scope": HubScope;
    "hub-status-badge": HubStatusBadge;
    "hub-job-progress": HubJobProgress;
    "hub-inbox": HubInbox;
    "hub-bell": HubBell;
    "hub-toasts": HubToasts;
    "hub-connection": HubConnection;
  }
}
