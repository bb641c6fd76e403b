/** What the console's elements share in looks, on top of what the components have. */
import { css } from "lit";

export const shared = css`
  :host { display: block; min-width: 0; --_danger: light-dark(#b91c28, #ff9a9a); --_well: light-dark(#eef0f4, #22252d); }
  h1, h2, h3, p, dl, dd, ul, ol, figure { margin: 0; padding: 0; }
  h1 { font-size: 22px; line-height: 1.25; font-weight: 680; letter-spacing: -0.02em; }
  h1[tabindex]:focus-visible { outline: none; } /* it has the focus to be read, not to be used */
  h2 { font-size: 14.5px; font-weight: 650; letter-spacing: -0.005em; }
  a { color: var(--_accent); font-weight: 550; text-decoration: none; }
  a:hover { text-decoration: underline; }
  .view { display: grid; gap: 18px; align-content: start; grid-template-columns: minmax(0, 1fr); }
  .head { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: end; justify-content: space-between; }
  .head p { color: var(--_muted); max-width: 70ch; text-wrap: pretty; }
  .card { background: var(--_surface); border: 1px solid var(--_line); border-radius: 12px; box-shadow: 0 1px 2px light-dark(#0f172a0d, #0006); min-width: 0; }
  .pad { padding: 16px 18px; }
  .stack { display: grid; gap: 14px; align-content: start; }
  .row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
  .muted { color: var(--_muted); }
  .small-text { font-size: 12.5px; }
  .nowrap { white-space: nowrap; }
  .strong { font-weight: 600; }
  .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12.5px; overflow-wrap: break-word; }
  .any { overflow-wrap: anywhere; }
  .green { --_tone: var(--_green); }
  .red { --_tone: var(--_red); }
  .yellow { --_tone: var(--_yellow); }
  .blue { --_tone: var(--_blue); }
  .purple { --_tone: var(--_purple); }
  .grey { --_tone: var(--_grey); }
  .tag {
    display: inline-flex; align-items: center; gap: 5px; padding: 1px 8px; border-radius: 99px; font-size: 12px; font-weight: 600; white-space: nowrap;
    color: var(--_tone); background: color-mix(in srgb, var(--_tone) 10%, var(--_surface)); border: 1px solid color-mix(in srgb, var(--_tone) 22%, transparent);
  }
  .button {
    display: inline-flex; align-items: center; justify-content: center; gap: 7px; min-height: 34px; padding: 5px 13px; border-radius: 8px; font-weight: 570; font-size: 13.5px;
    background: var(--_surface); border: 1px solid light-dark(#ccd1db, #414653); color: var(--_text); white-space: nowrap; text-decoration: none;
  }
  .button:hover:not(:disabled) { background: var(--_raised); border-color: var(--_muted); text-decoration: none; }
  .button:disabled { color: var(--_muted); cursor: default; opacity: 0.65; }
  .button.primary { background: light-dark(#4f46e5, #5d55ea); border-color: transparent; color: #fff; }
  .button.primary:hover:not(:disabled) { background: light-dark(#4338ca, #6c65f0); }
  .button.danger { background: light-dark(#c2202e, #c52d3b); border-color: transparent; color: #fff; }
  .button.danger:hover:not(:disabled) { background: light-dark(#a01823, #b32430); }
  .button.quiet-danger { color: var(--_danger); border-color: color-mix(in srgb, var(--_danger) 32%, var(--_line)); }
  .button.quiet-danger:hover:not(:disabled) { background: color-mix(in srgb, var(--_danger) 8%, var(--_surface)); border-color: var(--_danger); }
  .button.tiny { min-height: 28px; padding: 2px 10px; font-size: 12.5px; }
  form { margin: 0; }
  .form { display: flex; flex-wrap: wrap; gap: 10px; align-items: end; }
  .field { display: grid; gap: 4px; min-width: 0; align-content: start; }
  .field.grow { flex: 1 1 220px; }
  .field > span, .field > label, legend { font-size: 12.5px; font-weight: 570; color: var(--_muted); padding: 0; }
  fieldset { border: 0; padding: 0; margin: 0; display: grid; gap: 8px; min-width: 0; }
  input:not([type="checkbox"], [type="radio"]), select, textarea {
    font: inherit; color: inherit; min-height: 34px; padding: 5px 11px; width: 100%; min-width: 0; border-radius: 8px;
    background: light-dark(#fff, #101216); border: 1px solid light-dark(#8b93a3, #5f6675);
  }
  textarea { min-height: 84px; resize: vertical; }
  ::placeholder { color: var(--_muted); opacity: 1; }
  input[type="checkbox"], input[type="radio"] { accent-color: light-dark(#4f46e5, #8d88ff); width: 16px; height: 16px; margin: 0; flex: none; }
  :is(input, select, textarea, summary):focus-visible { outline: 2px solid var(--_accent); outline-offset: 1px; }
  .choice { display: flex; gap: 9px; align-items: start; }
  .choice input { margin-top: 3px; }
  .choice small { display: block; font-size: 12.5px; color: var(--_muted); }
  .hint { font-size: 12.5px; color: var(--_muted); }
  .problem { display: flex; gap: 9px; align-items: start; padding: 10px 13px; border-radius: 9px; color: var(--_red); background: color-mix(in srgb, var(--_red) 8%, var(--_surface)); overflow-wrap: anywhere; }
  .problem .icon { margin-top: 3px; }
  .blank { display: grid; justify-items: center; gap: 10px; padding: 44px 20px; color: var(--_muted); text-align: center; }
  .blank > .icon { width: 28px; height: 28px; opacity: 0.7; }
`;
