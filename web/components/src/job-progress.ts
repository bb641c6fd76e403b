import { html, nothing, type PropertyValues, type PropertyDeclarations, type TemplateResult } from "lit";
import { durationMs, type Envelope, type HubClient, isTerminal, isType, type JobState, type Readable } from "@notification-hub/client";
import { everySecond, HubElement } from "./base";
import { icon, type IconName } from "./icons";
import { look } from "./look";
import { jobStyles } from "./job-progress.css";
import { clock, humanized, span } from "./words";

interface Row {
  key: string;
  picture: IconName;
  tone: string;
  text: string;
  at: string;
  feature: boolean;
}

/** `<hub-job-progress job="…">`: how far a job is, what it does now, and what has happened. */
export class HubJobProgress extends HubElement {
  static override properties: PropertyDeclarations = { job: { type: String }, heading: { type: String }, said: { state: true } };
  static override styles = [look, jobStyles];
  /** The job's id. */
  declare job: string | null;
  /** Default: what the job's kind is called. */
  declare heading: string | null;
  /** What a screen reader is told: a new status, and each quarter. */
  declare said: string;
  #store: Readable<JobState> | undefined;
  #told = "";

  protected follow(hub: HubClient): (() => void)[] {
    this.#store = this.job ? hub.progress(this.job) : undefined;
    this.#told = "";
    if (!this.#store) return [];
    const tick = (): void => {
      if (!isTerminal(this.#store!.get().status)) this.requestUpdate();
    };
    return [this.redraw(this.#store), everySecond(tick), hub.connection().subscribe(tick)];
  }

  protected override get subject(): string | null {
    return this.job;
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.#tell();
  }

  override render(): TemplateResult {
    const state = this.#store?.get();
    if (!state || state.feed === "loading") return this.#loading();
    if (state.feed === "error") return this.#error(state);
    const { words } = this;
    return html`
      <section class="card" aria-label=${this.#title(state)} aria-busy=${!isTerminal(state.status)}>
        ${this.#overview(state)} ${this.#now(state)} ${this.#outcome(state)} ${this.#timeline(state)}
        ${words.feed[state.feed] ? html`<p class="feed">${icon(state.feed === "stale" ? "offline" : "clock")}${words.feed[state.feed]}</p>` : nothing}
        <p class="said" role="status" aria-live="polite">${this.said}</p>
      </section>`;
  }

  protected override updated(): void {
    const state = this.#store?.get();
    const bar = this.renderRoot.querySelector<HTMLElement>(".fill");
    if (bar && state) bar.style.width = `${state.progress.percentage}%`; // a style attribute needs a laxer policy
    const list = this.renderRoot.querySelector<HTMLElement>("ol");
    if (list && list.dataset.count !== String(list.childElementCount)) {
      const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 120;
      list.dataset.count = String(list.childElementCount);
      if (atEnd || !list.scrollTop) list.scrollTop = list.scrollHeight;
    }
  }

  // -- parts ------------------------------------------------------------------------------------

  #title(state: JobState): string {
    const { words } = this;
    return this.heading ?? words.kind[state.kind ?? ""] ?? (state.kind ? humanized(state.kind) : words.job);
  }

  #overview(state: JobState): TemplateResult {
    const { words } = this;
    const { completedScenarios, totalScenarios, completedFeatures, totalFeatures, percentage } = state.progress;
    const rest = this.#remaining(state);
    const text = new Intl.NumberFormat(this.language, { maximumFractionDigits: 0 }).format(Math.floor(percentage));
    return html`
      <header>
        <h3>${this.#title(state)}</h3>
        <hub-status-badge .status=${state.status} lang=${this.language}></hub-status-badge>
        <span class="time number" title=${words.elapsed}>${icon("clock")}<span class="said">${words.elapsed}</span>${this.#elapsed(state)}</span>
      </header>
      <div class="bar-row">
        <div class="bar ${(state.status ?? "").toLowerCase()}" role="progressbar" aria-label=${words.progress}
          aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.floor(percentage)}><div class="fill"></div></div>
        <strong class="number">${text}%</strong>
      </div>
      ${totalScenarios || totalFeatures || rest ? html`<p class="counts number">
        ${totalScenarios ? html`<span><b>${completedScenarios}/${totalScenarios}</b> ${words.scenarios}</span>` : nothing}
        ${totalFeatures ? html`<span><b>${completedFeatures}/${totalFeatures}</b> ${words.features}</span>` : nothing}
        ${rest ? html`<span class="rest">${words.remaining(rest)}</span>` : nothing}
      </p>` : nothing}`;
  }

  #now(state: JobState): TemplateResult | typeof nothing {
    if (isTerminal(state.status)) return nothing;
    const { words } = this;
    const { activity } = state;
    const last = state.events.findLast((event) => isType(event, "PROGRESS_UPDATED") || isType(event, "JOB_STATUS_CHANGED"));
    const message = (last?.data as { message?: string } | undefined)?.message;
    const what = activity?.scenarioTitle ?? activity?.stepTitle ?? message;
    const status = words.status[state.status ?? ""] ?? humanized(state.status ?? "");
    return html`
      <div class="now">
        ${icon(state.status === "WAITING_APPROVAL" ? "hourglass" : "spinner")}
        <div>
          <p>${activity && what ? words.doing(status, what) : (what ?? `${status}…`)}</p>
          ${activity?.featureName ? html`<p class="minor">${words.feature}: ${activity.featureName}</p>` : nothing}
        </div>
      </div>`;
  }

  #outcome(state: JobState): TemplateResult | typeof nothing {
    const { words } = this;
    if (state.failure) {
      const { errorCode, message, failedAt, lastSuccessfulScenario } = state.failure;
      const last = state.events.find((event) => isType(event, "SCENARIO_COMPLETED") && event.data.scenarioId === lastSuccessfulScenario);
      const title = (last?.data as { title?: string } | undefined)?.title ?? lastSuccessfulScenario;
      return html`
        <div class="outcome failure" role="alert">
          ${icon("failed")}
          <div>
            <p class="message">${message}</p>
            <dl>
              <div><dt class="said">Code</dt><dd><code>${errorCode}</code></dd></div>
              <div><dt>${words.failedAt}</dt><dd>${words.status[failedAt] ?? humanized(failedAt)}</dd></div>
              ${title ? html`<div><dt>${words.lastScenario}</dt><dd>${title}</dd></div>` : nothing}
            </dl>
          </div>
        </div>`;
    }
    if (!state.summary) return nothing;
    const { passed, failed, totalSteps, duration } = state.summary;
    const took = durationMs(duration);
    return html`
      <div class="outcome summary">
        <span class="passed"><b class="number">${passed}</b> ${words.passed}</span>
        <span class=${failed ? "failed" : ""}><b class="number">${failed}</b> ${words.failed}</span>
        ${totalSteps ? html`<span><b class="number">${totalSteps}</b> ${words.steps}</span>` : nothing}
        ${took === null ? nothing : html`<span class="rest number">${words.took(span(took))}</span>`}
      </div>`;
  }

  #timeline(state: JobState): TemplateResult {
    const { words } = this;
    const all = state.events.map((event) => this.#row(event)).filter((row) => row !== null);
    const rows = all.filter((row, n) => row.text !== all[n - 1]?.text);
    const open = state.activity?.scenarioTitle;
    if (!rows.length && !open) return html`<p class="empty">${words.moments}</p>`;
    return html`
      <ol tabindex="0" aria-label=${words.timeline}>
        ${rows.map((row) => html`
          <li class=${`${row.tone} ${row.feature ? "feature" : ""}`}>
            ${icon(row.picture)}<span>${row.text}</span><time class="number" datetime=${row.at}>${clock(this.language, row.at)}</time>
          </li>`)}
        ${open ? html`<li class="open">${icon("spinner")}<span>${open}</span><em>${words.inProgress}</em></li>` : nothing}
      </ol>`;
  }

  #row(event: Envelope): Row | null {
    const { words } = this;
    const row = (picture: IconName, tone: string, text: string, feature = false): Row =>
      ({ key: event.id, picture, tone, text, at: event.timestamp, feature });
    if (isType(event, "SCENARIO_COMPLETED")) return row("done", "green", event.data.title);
    if (isType(event, "FEATURE_COMPLETED")) return row("layers", "green", event.data.name, true);
    if (isType(event, "JOB_STATUS_CHANGED")) {
      const { currentStatus: status } = event.data;
      return row(status === "CANCELLED" ? "ban" : "dot", "grey", words.status[status] ?? humanized(status));
    }
    if (isType(event, "PROGRESS_UPDATED")) {
      return event.data.message ? row("dot", "grey", event.data.message) : null;
    }
    if (isType(event, "JOB_COMPLETED")) return row("done", "green", words.status.COMPLETED!, true);
    if (isType(event, "JOB_FAILED")) return row("failed", "red", words.status.FAILED!, true);
    return null;
  }

  #loading(): TemplateResult {
    return html`<section class="card" aria-busy="true"><p class="said" role="status">${this.words.loading}</p>
      <div class="bone wide"></div><div class="bone bar"></div><div class="bone"></div><div class="bone tall"></div></section>`;
  }

  #error(state: JobState): TemplateResult {
    const { words } = this;
    const text = words.errors[state.error?.code ?? ""] ?? words.error;
    return html`<section class="card"><p class="blank" role="alert">${icon("warning")}${text}</p></section>`;
  }

  // -- time and speech --------------------------------------------------------------------------

  #clock(): number {
    return Date.now() + (this.hub?.connection().get().skew ?? 0);
  }

  #elapsed(state: JobState): string {
    const known = durationMs(state.duration);
    if (known !== null) return span(known);
    const end = state.endedAt ? Date.parse(state.endedAt) : this.#clock();
    return state.startedAt ? span(end - Date.parse(state.startedAt)) : "–";
  }

  #remaining(state: JobState): string | null {
    const estimate = durationMs(state.estimatedTimeRemaining);
    if (estimate === null || isTerminal(state.status)) return null;
    return span(Math.max(1000, estimate - (Date.now() - state.estimatedAt)));
  }

  #tell(): void {
    const state = this.#store?.get();
    if (!state?.status) return;
    const quarter = Math.floor(state.progress.percentage / 25) * 25;
    const now = `${state.status} ${quarter}`;
    if (now === this.#told) return;
    this.#told = now;
    this.said = `${this.words.status[state.status] ?? humanized(state.status)}, ${quarter}%`;
  }
}
