/** `<console-overview>`: the figures of the cluster, as they are and as they were, and its nodes. */
import { css, html, nothing, type TemplateResult } from "lit";
import { look } from "../../components/src/look";
import { span } from "../../components/src/words";
import { ConsoleElement } from "../base";
import type { Series } from "../chart";
import { bytes, ms, percent, rate, whole } from "../format";
import { shared } from "../look";
import type { Column } from "../table";
import type { Figures, NodeFigures } from "../types";

const connected = ({ connections: { socketio, websocket, sse } }: Figures): number => socketio + websocket + sse;

export class ConsoleOverview extends ConsoleElement {
  static override styles = [look, shared, css`
    .view { container-type: inline-size; }
    .tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 10px; }
    .tile { padding: 12px 15px; display: grid; gap: 1px; align-content: start; }
    .tile dt { color: var(--_muted); font-size: 12.5px; font-weight: 550; }
    .tile dd { font-size: 24px; line-height: 1.25; font-weight: 660; letter-spacing: -0.02em; }
    .tile .sub { font-size: 12.5px; font-weight: 400; letter-spacing: 0; color: var(--_muted); }
    .tile.bad dd:first-of-type { color: var(--_red); }
    .tile.warn dd:first-of-type { color: var(--_yellow); }
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 12px; }
    @container (min-width: 1240px) { .tiles { grid-template-columns: repeat(8, minmax(0, 1fr)); } }
    @container (max-width: 620px) { .tiles { grid-template-columns: 1fr 1fr; } .tile { padding: 10px 12px; } .tile dd { font-size: 21px; } }
  `];

  protected override follow(): (() => void)[] {
    return [this.redraw(this.admin.stats), this.redraw(this.admin.history)];
  }

  override render(): TemplateResult {
    const { overview } = this.words;
    const stats = this.admin.stats.get();
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${overview.title}</h1><p>${overview.intro}</p></div></div>
        ${this.#tiles()}
        ${this.#charts()}
        <h2>${overview.nodes}</h2>
        <console-table .label=${overview.nodes} .items=${stats?.nodes ?? null} .columns=${this.#columns()} .key=${(node: NodeFigures) => node.id} .empty=${overview.noNodes}></console-table>
      </div>`;
  }

  #tiles(): TemplateResult {
    const { words: { overview, never }, language: lang } = this;
    const stats = this.admin.stats.get();
    const tile = (label: string, value: (all: Figures) => string, sub: unknown = nothing, tone = ""): TemplateResult => html`
      <div class="card tile ${tone}"><dt>${label}</dt><dd class="number">${stats ? value(stats.cluster) : never}</dd><dd class="sub number">${sub}</dd></div>`;
    const cluster = stats?.cluster;
    const doors = cluster && [[overview.socketio, cluster.connections.socketio], [overview.websocket, cluster.connections.websocket], [overview.sse, cluster.connections.sse]] as const;
    const latency = (value: number | null | undefined): string => (value === null || value === undefined ? never : ms(lang, value));
    const lag = stats?.journalLag ?? 0;
    return html`
      <dl class="tiles">
        ${tile(overview.connections, (all) => whole(lang, connected(all)), doors?.filter(([, count]) => count).map(([name, count]) => `${name} ${whole(lang, count)}`).join(" · "))}
        ${tile(overview.users, ({ users }) => whole(lang, users), cluster && `${whole(lang, cluster.channels)} ${overview.channels}`)}
        ${tile(overview.jobs, () => whole(lang, stats!.jobsLive))}
        ${tile(overview.deliveries, (all) => rate(lang, all.deliveriesPerSecond), cluster && `${overview.publications}: ${rate(lang, cluster.publicationsPerSecond)}`)}
        ${tile(overview.latency, ({ latencyMs }) => latency(latencyMs.p50), html`${overview.p99} ${latency(cluster?.latencyMs.p99)}`)}
        ${tile(overview.lag, () => whole(lang, lag), overview.lagHint, lag > 1000 ? "warn" : "")}
        ${tile(overview.slow, ({ slowConsumers }) => whole(lang, slowConsumers), cluster && `${overview.slowHint}${cluster.dropped ? ` · ${whole(lang, cluster.dropped)} ${overview.dropped}` : ""}`, cluster?.slowConsumers ? "warn" : "")}
        ${tile(overview.memory, (all) => bytes(lang, all.memoryBytes), cluster && `${overview.outbox}: ${bytes(lang, cluster.outboxBytes)}`)}
      </dl>`;
  }

  #charts(): TemplateResult {
    const { overview } = this.words;
    const moments = this.admin.history.get();
    const chart = (heading: string, series: Series[], format: typeof whole, second?: typeof whole): TemplateResult => html`
      <console-chart .heading=${heading} .series=${series} .moments=${moments} .format=${format} .secondFormat=${second}></console-chart>`;
    return html`
      <div class="charts">
        ${chart(overview.connections, [
          { label: overview.socketio, tone: "blue", area: true, value: ({ cluster }) => cluster.connections.socketio },
          { label: overview.websocket, tone: "purple", value: ({ cluster }) => cluster.connections.websocket },
          { label: overview.sse, tone: "yellow", value: ({ cluster }) => cluster.connections.sse },
        ], whole)}
        ${chart(overview.throughput, [
          { label: overview.deliveries, tone: "green", area: true, value: ({ cluster }) => cluster.deliveriesPerSecond },
          { label: overview.publications, tone: "blue", value: ({ cluster }) => cluster.publicationsPerSecond },
        ], rate)}
        ${chart(overview.latency, [
          { label: overview.p50, tone: "green", value: ({ cluster }) => cluster.latencyMs.p50 },
          { label: overview.p99, tone: "red", value: ({ cluster }) => cluster.latencyMs.p99 },
        ], ms)}
        ${chart(overview.work, [
          { label: overview.jobs, tone: "purple", area: true, value: ({ jobsLive }) => jobsLive },
          { label: overview.lag, tone: "yellow", value: ({ journalLag }) => journalLag, second: true },
        ], whole)}
        ${chart(overview.load, [
          { label: overview.cpu, tone: "blue", area: true, value: ({ cluster }) => cluster.cpuPercent },
          { label: overview.memory, tone: "purple", value: ({ cluster }) => cluster.memoryBytes, second: true },
        ], percent, bytes)}
        ${chart(overview.outbox, [
          { label: overview.outbox, tone: "yellow", area: true, value: ({ cluster }) => cluster.outboxBytes },
          { label: overview.slow, tone: "red", value: ({ cluster }) => cluster.slowConsumers, second: true },
        ], bytes, whole)}
      </div>`;
  }

  #columns(): Column<NodeFigures>[] {
    const { words: { overview, never }, language: lang } = this;
    const at = Date.parse(this.admin.stats.get()?.at ?? "") || Date.now();
    const latency = (value: number | null): string => (value === null ? never : ms(lang, value));
    return [
      { label: overview.node, cell: ({ id }) => html`<span class="mono strong keep">${id}</span>` },
      { label: overview.state, cell: ({ draining }) => html`<span class="tag ${draining ? "yellow" : "green"}">${draining ? overview.draining : overview.serving}</span>` },
      { label: overview.uptime, cell: ({ startedAt }) => (startedAt ? html`<span class="nowrap">${span(at - Date.parse(startedAt))}</span>` : never), number: true },
      { label: overview.connections, cell: (node) => whole(lang, connected(node)), number: true },
      { label: overview.users, cell: ({ users }) => whole(lang, users), number: true },
      { label: overview.rate, cell: (node) => rate(lang, node.publicationsPerSecond), number: true },
      { label: overview.deliveries, cell: (node) => rate(lang, node.deliveriesPerSecond), number: true },
      { label: overview.p99, cell: ({ latencyMs }) => html`<span class="nowrap">${latency(latencyMs.p99)}</span>`, number: true },
      { label: overview.memory, cell: ({ memoryBytes }) => html`<span class="nowrap">${bytes(lang, memoryBytes)}</span>`, number: true },
      { label: overview.cpu, cell: ({ cpuPercent }) => percent(lang, cpuPercent), number: true },
    ];
  }
}
