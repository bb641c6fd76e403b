/** Counts what arrives, independently of what the SDK says about itself: offsets rise by one. */
import type { HubClient } from "@notification-hub/client";

export class Proof {
  received = 0;
  gaps = 0;
  repeats = 0;
  returns = 0;

  /** Counts for one client; `changed` after every event. */
  watch(client: HubClient, changed: () => void): void {
    const places = new Map<string, { epoch: string; offset: number }>();
    client.onEvent(({ channel, epoch, offset }) => {
      if (offset === undefined) return;
      const place = places.get(channel);
      if (place && place.epoch === epoch) {
        if (offset <= place.offset) this.repeats++;
        else this.gaps += offset - place.offset - 1;
      }
      places.set(channel, { epoch, offset });
      this.received++;
      changed();
    });
    let before = client.connection().get().status;
    client.connection().subscribe(({ status }) => {
      if (status === "online" && before !== "online" && before !== "connecting") this.returns++;
      before = status;
      changed();
    });
  }
}
