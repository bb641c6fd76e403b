/** `<console-jobs>`: all jobs, the latest first. */
import { css, html, type TemplateResult } from "lit";
import { look } from "../../components/src/look";
import { humanized, wordsOf } from "../../components/src/words";
import { ConsoleElement } from "../base";
import { percent, when } from "../format";
import { shared } from "../look";
import type { Column } from "../table";
import type { Job, Page } from "../types";

const STATUSES = ["CREATED", "PLANNING", "PLANNED", "WAITING_APPROVAL", "GENERATING", "RUNNING", "VALIDATING", "COMPLETED", "FAILED", "CANCELLED"];

export class ConsoleJobs extends ConsoleElement {
  static override styles = [look, shared, css`
    .form select { width: auto; }
  `];
  #status = "";
  #load = this.#loader("");

  #loader(status: string): (cursor: string | undefined) => Promise<Page<Job>> {
    return (cursor) => this.admin.call("jobs", { ...(status ? { status } : {}), ...(cursor ? { cursor } : {}) });
  }

  override render(): TemplateResult {
    const { jobs } = this.words;
    const names = wordsOf(this.language).status;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${jobs.title}</h1><p>${jobs.intro}</p></div>
          <label class="field"><span>${jobs.status}</span>
            <select @change=${(event: Event) => this.#choose((event.target as HTMLSelectElement).value)}>
              <option value="">${jobs.any}</option>
              ${STATUSES.map((status) => html`<option value=${status}>${names[status] ?? humanized(status)}</option>`)}
            </select></label>
        </div>
        <console-table .label=${jobs.title} .load=${this.#load} .columns=${this.#columns()} .key=${(job: Job) => job.jobId}
          .empty=${this.#status ? jobs.emptyStatus : jobs.empty} .actions=${(job: Job) => this.#actions(job)}></console-table>
      </div>`;
  }

  #choose(status: string): void {
    [this.#status, this.#load] = [status, this.#loader(status)];
    this.requestUpdate();
  }

  #actions({ jobId }: Job): TemplateResult {
    const { jobs } = this.words;
    const id = encodeURIComponent(jobId);
    return html`
      <a class="button tiny" href=${`#/connections?job=${id}`} aria-label=${`${jobs.followers} ${jobs.of(jobId)}`}>${jobs.followers}</a>
      <a class="button tiny" href=${`#/tail?job=${id}`} aria-label=${`${jobs.tail} ${jobId}`}>${jobs.tail}</a>`;
  }

  #columns(): Column<Job>[] {
    const { words: { jobs }, language: lang } = this;
    const time = (at: string): TemplateResult => html`<span class="nowrap number">${when(lang, at)}</span>`;
    return [
      { label: jobs.job, cell: ({ jobId, jobKind }) => html`<span class="strong">${jobs.kinds[jobKind] ?? humanized(jobKind)}</span><br /><span class="mono muted any">${jobId}</span>`, wide: true },
      { label: jobs.status, cell: ({ status }) => html`<hub-status-badge .status=${status} lang=${lang}></hub-status-badge>` },
      { label: jobs.progress, cell: ({ progress }) => html`<span class="nowrap">${percent(lang, Math.floor(progress.percentage))}</span>${progress.totalScenarios ? html`<br /><span class="muted nowrap">${progress.completedScenarios}/${progress.totalScenarios}</span>` : ""}`, number: true },
      { label: jobs.owner, cell: ({ ownerId }) => html`<a href=${`#/connections?user=${encodeURIComponent(ownerId)}`}>${ownerId}</a>` },
      { label: jobs.project, cell: ({ projectId }) => projectId },
      { label: jobs.started, cell: ({ startedAt }) => time(startedAt) },
      { label: jobs.updated, cell: ({ updatedAt }) => time(updatedAt) },
    ];
  }
}
