import { css, html, LitElement, type PropertyDeclarations, type TemplateResult } from "lit";
import { icon, type IconName } from "./icons";
import { look } from "./look";
import { humanized, wordsOf } from "./words";

const LOOKS: Record<string, [IconName, string]> = {
  PLANNING: ["brain", "blue"],
  WAITING_APPROVAL: ["hourglass", "yellow"],
  GENERATING: ["gear", "blue"],
  RUNNING: ["gear", "blue"],
  VALIDATING: ["flask", "purple"],
  COMPLETED: ["done", "green"],
  FAILED: ["failed", "red"],
  CANCELLED: ["ban", "grey"],
};

/** `<hub-status-badge status="GENERATING">`. Statuses of one's own are shown in grey. */
export class HubStatusBadge extends LitElement {
  static override properties: PropertyDeclarations = { status: { type: String, reflect: true }, lang: { type: String } };
  static override styles = [look, css`
    :host { display: inline-flex; }
    span {
      display: inline-flex; align-items: center; gap: 6px; padding: 3px 10px 3px 8px;
      border-radius: 99px; font-size: 12.5px; font-weight: 600; line-height: 1.4; white-space: nowrap;
      color: var(--_tone); background: color-mix(in srgb, var(--_tone) 11%, var(--_surface));
      border: 1px solid color-mix(in srgb, var(--_tone) 24%, transparent);
    }
    .blue { --_tone: var(--_blue); }
    .yellow { --_tone: var(--_yellow); }
    .purple { --_tone: var(--_purple); }
    .green { --_tone: var(--_green); }
    .red { --_tone: var(--_red); }
    .grey { --_tone: var(--_grey); }
    .gear { animation: turn 6s linear infinite; }
  `];
  declare status: string | null;

  override render(): TemplateResult {
    const status = this.status ?? "";
    const [picture, tone] = LOOKS[status] ?? ["dot", "grey"];
    const lang = this.lang || this.closest("[lang]")?.getAttribute("lang") || document.documentElement.lang || navigator.language;
    const name = wordsOf(lang).status[status] ?? humanized(status);
    return html`<span class=${tone} part="badge">${icon(picture as IconName)}${name}</span>`;
  }
}
