/** `<console-chart>`: some figures of the last minutes, drawn by uPlot. What the pointer or the arrow
 * keys are at, else what is now, is in words below the heading. */
import { css, html, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult, unsafeCSS } from "lit";
import uPlot from "uplot";
import uplotStyles from "uplot/dist/uPlot.min.css?inline";
import { look } from "../components/src/look";
import { ConsoleElement } from "./base";
import { bytes, clock, whole } from "./format";
import { shared } from "./look";
import type { Moment } from "./types";

export interface Series {
  label: string;
  tone: "blue" | "green" | "purple" | "yellow" | "red" | "grey";
  value(moment: Moment): number | null;
  /** Filled below, down to nothing. */
  area?: boolean;
  /** On an axis of its own, to the right. */
  second?: boolean;
}

type Format = (lang: string, value: number) => string;
const HEIGHT = 150;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];
const STEPS = [0.1, 0.2, 0.5, ...WHOLE];
const BYTES = Array.from({ length: 44 }, (_, power) => 2 ** power);
const WINDOW = 15 * 60;
const GAP = 10;
const seconds = ({ at }: Moment): number => Date.parse(at) / 1000;

export class ConsoleChart extends ConsoleElement {
  static override properties: PropertyDeclarations = {
    heading: { type: String }, series: { attribute: false }, moments: { attribute: false }, format: { attribute: false }, secondFormat: { attribute: false },
  };
  static override styles = [look, shared, unsafeCSS(uplotStyles), css`
    figure { padding: 14px 16px 6px; }
    figure:focus-visible { outline: 2px solid var(--_accent); outline-offset: 1px; }
    figcaption { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; }
    figcaption h2 { margin-right: auto; }
    .legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 12.5px; min-height: 19px; }
    .legend span { display: inline-flex; align-items: baseline; gap: 6px; color: var(--_muted); }
    .legend i { width: 9px; height: 9px; border-radius: 3px; background: var(--_tone); color: var(--_tone); }
    .legend b { font-weight: 620; color: var(--_text); }
    .plot { height: ${HEIGHT}px; margin: 6px -6px 0; overflow: hidden; }
    .u-cursor-x { border-color: var(--_muted) !important; }
    .u-cursor-y { display: none; }
  `];
  declare heading: string;
  declare series: Series[];
  declare moments: readonly Moment[];
  declare format: Format;
  declare secondFormat: Format | undefined;
  #plot: uPlot | undefined;
  #points: { at: number; moment: Moment | null }[] = [];
  #at: number | null = null; // the point that is pointed at
  readonly #sizes = new ResizeObserver(() => this.#fit());

  constructor() {
    super();
    this.heading = "";
    this.series = [];
    this.moments = [];
    this.format = (lang, value) => new Intl.NumberFormat(lang).format(value);
  }

  protected override follow(): (() => void)[] {
    const recolour = (): void => void this.updateComplete.then(() => this.#plot?.redraw(false, true));
    document.addEventListener("console-changed", recolour);
    return [() => document.removeEventListener("console-changed", recolour)];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sizes.disconnect();
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  protected override updated(changed: PropertyValues): void {
    if (!this.#plot) this.#draw();
    if (changed.has("moments")) this.#plot!.setData(this.#data());
  }

  override render(): TemplateResult {
    const moment = this.#at === null ? this.moments.at(-1) : this.#points[this.#at]?.moment;
    return html`
      <figure class="card" role="group" tabindex="0" aria-label=${this.heading} aria-describedby="help" @keydown=${this.#key} @blur=${() => this.#point(null)}>
        <figcaption>
          <h2>${this.heading}</h2>
          <div class="legend number">
            ${this.series.map((one) => html`<span class=${one.tone}><i></i>${one.label} <b>${moment ? this.#text(one, moment) : this.words.never}</b></span>`)}
            ${this.#at !== null && moment ? html`<span>${clock(this.language, moment.at)}</span>` : nothing}
          </div>
        </figcaption>
        <div class="plot" aria-hidden="true"></div>
        <p class="said" id="help">${this.words.overview.chartHelp}</p>
        <p class="said" role="status">${this.#at !== null && moment ? this.series.map((one) => `${one.label} ${this.#text(one, moment)}`).join(", ") : nothing}</p>
      </figure>`;
  }

  #text(one: Series, moment: Moment): string {
    const value = one.value(moment);
    return value === null ? this.words.never : (one.second ? this.secondFormat ?? this.format : this.format)(this.language, value);
  }

  /** Where nobody kept figures for a while, the lines break (`null`); where only one of the figures is
   * not known, its line goes on to the next one that is (`undefined`). */
  #data(): uPlot.AlignedData {
    this.#points = [];
    let before = Infinity;
    for (const moment of this.moments) {
      const at = seconds(moment);
      if (at - before > GAP) this.#points.push({ at: at - 1, moment: null });
      this.#points.push({ at, moment });
      before = at;
    }
    const column = (one: Series) => this.#points.map(({ moment }) => (moment ? one.value(moment) ?? undefined : null));
    return [this.#points.map(({ at }) => at), ...this.series.map(column)] as uPlot.AlignedData;
  }

  /** The colour that the legend has for a series, as the canvas needs it. */
  #colour(index: number): string {
    const sign = this.renderRoot.querySelectorAll(".legend i")[index];
    return sign ? getComputedStyle(sign).color : "grey";
  }

  #muted(): string {
    return getComputedStyle(this.renderRoot.querySelector(".legend span")!).color;
  }

  #draw(): void {
    const place = this.renderRoot.querySelector<HTMLElement>(".plot")!;
    const grid = (): string => `color-mix(in srgb, ${this.#muted()} 18%, transparent)`;
    const axis = { stroke: () => this.#muted(), font: "11px system-ui, sans-serif", ticks: { show: false }, grid: { stroke: grid, width: 1 } };
    const values = (format: Format) => (_: uPlot, splits: number[]): string[] => splits.map((value) => format(this.language, value));
    const incrs = (format: Format): number[] => (format === bytes ? BYTES : format === whole ? WHOLE : STEPS);
    const range = (_: uPlot, _low: number | null, high: number | null): [number, number] => [0, Math.max(high ?? 0, 1) * 1.15];
    const second = this.series.some((one) => one.second);
    this.#plot = new uPlot({
      width: place.clientWidth || 300, height: HEIGHT, legend: { show: false }, padding: [8, second ? 0 : 10, 0, 0],
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, sync: { key: "console" }, points: { size: 7 } },
      scales: {
        x: { time: true, range: (_, _low, high) => [(high ?? Date.now() / 1000) - WINDOW, high ?? Date.now() / 1000] },
        y: { range }, second: { range },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 80, size: 26, values: (_, splits) => splits.map((at) => new Intl.DateTimeFormat(this.language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at * 1000)) },
        { ...axis, size: 58, space: 32, incrs: incrs(this.format), values: values((lang, value) => this.format(lang, value)) },
        ...(second ? [{ ...axis, scale: "second", side: 1 as const, size: 58, space: 32, grid: { show: false }, incrs: incrs(this.secondFormat ?? this.format), values: values((lang, value) => (this.secondFormat ?? this.format)(lang, value)) }] : []),
      ],
      series: [{}, ...this.series.map((one, index): uPlot.Series => ({
        scale: one.second ? "second" : "y", width: 1.75, spanGaps: false, points: { show: false }, stroke: () => this.#colour(index),
        ...(one.area ? { fill: () => `color-mix(in srgb, ${this.#colour(index)} 14%, transparent)` } : {}),
      }))],
      hooks: { setCursor: [(plot) => this.#hovered(plot.cursor.idx ?? null)] },
    }, this.#data(), place);
    this.#sizes.observe(place);
  }

  #fit(): void {
    const place = this.renderRoot.querySelector<HTMLElement>(".plot");
    if (place?.clientWidth) this.#plot?.setSize({ width: place.clientWidth, height: HEIGHT });
  }

  #hovered(index: number | null): void {
    if (index === this.#at) return;
    this.#at = index;
    this.requestUpdate();
  }

  #point(index: number | null): void {
    const plot = this.#plot!;
    if (index === null) plot.setCursor({ left: -10, top: -10 });
    else plot.setCursor({ left: plot.valToPos(this.#points[index]!.at, "x"), top: 10 });
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !this.moments.length) return;
    event.preventDefault();
    const last = this.#points.length - 1;
    let to = this.#at === null ? last : this.#at + step;
    if (!this.#points[to]?.moment) to += step; // nobody kept figures there
    this.#point(Math.min(last, Math.max(0, to)));
  }
}
