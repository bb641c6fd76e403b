/** What all components share in looks. Everything a product may want to change is a custom property:
 * set `--hub-accent`, `--hub-radius`, `--hub-font` and the like on any element around. Light or dark
 * follows `color-scheme`. */
import { css } from "lit";

export const look = css`
  :host {
    --_accent: var(--hub-accent, light-dark(#4f46e5, #a5a8ff));
    --_surface: var(--hub-surface, light-dark(#ffffff, #16181d));
    --_raised: var(--hub-raised, light-dark(#f6f7f9, #1f2229));
    --_line: var(--hub-line, light-dark(#e3e6ec, #2e323c));
    --_text: var(--hub-text, light-dark(#171a21, #eceef3));
    --_muted: var(--hub-muted, light-dark(#5a6272, #a2aabb));
    --_blue: var(--hub-blue, light-dark(#1d4ed8, #8db4ff));
    --_yellow: var(--hub-yellow, light-dark(#8a5200, #f7c45c));
    --_purple: var(--hub-purple, light-dark(#7326c9, #cfa5ff));
    --_green: var(--hub-green, light-dark(#10703c, #6bdd9a));
    --_red: var(--hub-red, light-dark(#b91c28, #ff9a9a));
    --_grey: var(--hub-grey, light-dark(#4d5565, #b3bac8));
    --_radius: var(--hub-radius, 14px);
    --_shadow: var(--hub-shadow, 0 1px 2px light-dark(#0f172a0d, #0006), 0 8px 24px light-dark(#0f172a0f, #0004));
    font: 400 14px/1.5 var(--hub-font, Inter, system-ui, "Segoe UI", Roboto, sans-serif);
    color: var(--_text);
    box-sizing: border-box;
  }
  :host([hidden]) { display: none; }
  *, *::before, *::after { box-sizing: border-box; }
  .icon { width: 1.15em; height: 1.15em; flex: none; vertical-align: -0.2em; }
  .spinner { animation: turn 1.1s linear infinite; }
  @keyframes turn { to { transform: rotate(1turn); } }
  .said {
    position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap;
  }
  button {
    font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer;
    border-radius: 8px;
  }
  button.plain { padding: 6px 10px; color: var(--_accent); font-weight: 550; }
  button.plain:hover { background: color-mix(in srgb, var(--_accent) 10%, transparent); }
  button.small { display: grid; place-items: center; width: 32px; height: 32px; color: var(--_muted); }
  button.small:hover { color: var(--_text); background: var(--_raised); }
  :is(button, a, [tabindex]):focus-visible { outline: 2px solid var(--_accent); outline-offset: 2px; }
  .number { font-variant-numeric: tabular-nums; }
  @media (prefers-reduced-motion: reduce) {
    *, *::before, *::after { animation: none !important; transition: none !important; }
  }
  @media (forced-colors: active) {
    :host { --_line: CanvasText; }
  }
`;
