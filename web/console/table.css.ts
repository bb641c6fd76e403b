import { css } from "lit";

export const tableStyles = css`
  :host { container-type: inline-size; }
  section { overflow: hidden; }
  section:focus { outline: none; }
  section:focus-visible { outline: 2px solid var(--_accent); outline-offset: 1px; }
  table { width: 100%; border-collapse: collapse; transition: opacity 0.15s; }
  table.busy { opacity: 0.6; }
  th, td { text-align: left; padding: 9px 10px; vertical-align: top; }
  :is(th, td):first-child { padding-left: 18px; }
  :is(th, td):last-child { padding-right: 14px; }
  th { font-size: 12px; font-weight: 600; color: var(--_muted); white-space: nowrap; border-bottom: 1px solid var(--_line); padding-block: 10px; background: var(--_raised); }
  tr + tr td { border-top: 1px solid var(--_line); }
  tbody tr:hover:not(.detail) { background: color-mix(in srgb, var(--_raised) 70%, transparent); }
  .wide { width: 40%; }
  .right { text-align: right; }
  .check { width: 1px; }
  .check input { display: block; margin-top: 3px; }
  .value { overflow-wrap: break-word; }
  .wide-cell .value { overflow-wrap: anywhere; }
  .label { display: none; }
  .keep { white-space: nowrap; }
  .acts { width: 1px; padding-block: 6px; }
  .acts > div { display: flex; gap: 6px; justify-content: end; align-items: center; }
  .detail > td { padding-top: 4px; border-top: 0; background: var(--_raised); }
  tr:has(+ .detail) > td { background: var(--_raised); }
  pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; padding: 8px 0; }
  footer { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; padding: 8px 14px 8px 18px; border-top: 1px solid var(--_line); }
  footer p { flex: 1; }
  .pager { display: inline-flex; gap: 4px; }
  .pager .button { min-width: 32px; font-size: 16px; line-height: 1; }
  .bones { padding: 16px 18px; display: grid; gap: 10px; }
  .bone { height: 26px; border-radius: 7px; background: var(--_well); animation: breathe 1.4s ease-in-out infinite alternate; }
  @keyframes breathe { to { opacity: 0.45; } }
  @container (max-width: 760px) {
    table, tbody { display: block; }
    thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    tr { display: grid; grid-template-columns: minmax(0, 1fr); gap: 5px; padding: 12px 16px; }
    tr + tr { border-top: 1px solid var(--_line); }
    tr + tr td { border-top: 0; }
    td, td:first-child, td:last-child, .acts { display: grid; grid-template-columns: minmax(88px, 30%) minmax(0, 1fr); gap: 10px; padding: 0; width: auto; text-align: left; }
    td.right { text-align: left; }
    .value { min-width: 0; overflow-wrap: anywhere; }
    .nowrap, .keep { white-space: normal; }
    td.check, td.acts, .detail > td { display: block; }
    .label { display: block; color: var(--_muted); font-size: 12.5px; }
    .acts > div { justify-content: start; flex-wrap: wrap; padding-top: 4px; }
    tr.detail { border-top: 0; padding-top: 0; background: var(--_raised); }
    tr:has(+ .detail) { background: var(--_raised); }
  }
`;
