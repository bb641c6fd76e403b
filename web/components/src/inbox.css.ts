import { css } from "lit";

export const inboxStyles = css`
  :host { display: block; min-width: 0; }
  section {
    background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius);
    box-shadow: var(--_shadow); overflow: hidden; display: flex; flex-direction: column; max-height: inherit;
  }
  p, h3, ul { margin: 0; padding: 0; }
  header { display: flex; align-items: center; justify-content: space-between; gap: 4px 8px; flex-wrap: wrap; padding: 14px 12px 6px 20px; }
  h3 { font-size: 16px; font-weight: 650; letter-spacing: -0.01em; }
  header .plain { font-size: 13px; }
  .plain:disabled { color: var(--_muted); cursor: default; background: none; }
  .tabs { display: flex; gap: 4px; padding: 0 14px; border-bottom: 1px solid var(--_line); }
  [role="tab"] { padding: 9px 8px 10px; color: var(--_muted); font-weight: 550; border-radius: 8px 8px 0 0; border-bottom: 2px solid transparent; margin-bottom: -1px; }
  [role="tab"]:hover { color: var(--_text); }
  [aria-selected="true"] { color: var(--_accent); border-color: var(--_accent); }
  .count { font-size: 12px; padding: 1px 7px; border-radius: 99px; background: color-mix(in srgb, var(--_accent) 13%, var(--_surface)); color: var(--_accent); }
  [role="tabpanel"] { overflow: auto; scrollbar-width: thin; min-height: 0; }
  ul { list-style: none; }
  li { display: flex; gap: 12px; padding: 13px 10px 13px 18px; border-bottom: 1px solid var(--_line); position: relative; }
  li:last-child { border-bottom: 0; }
  li.unread { background: color-mix(in srgb, var(--_accent) 4%, var(--_surface)); }
  li.unread::before { content: ""; position: absolute; left: 7px; top: 22px; width: 6px; height: 6px; border-radius: 50%; background: var(--_accent); }
  .sign { display: grid; place-items: center; width: 30px; height: 30px; border-radius: 9px; flex: none; color: var(--_tone); background: color-mix(in srgb, var(--_tone) 11%, var(--_surface)); }
  .info { --_tone: var(--_blue); }
  .success { --_tone: var(--_green); }
  .warning { --_tone: var(--_yellow); }
  .error { --_tone: var(--_red); }
  .body { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .title { font-weight: 500; }
  .unread .title { font-weight: 650; }
  .title a { color: inherit; text-decoration: none; }
  .title a:hover { text-decoration: underline; }
  .text { color: var(--_muted); font-size: 13.5px; }
  time { color: var(--_muted); font-size: 12.5px; }
  .actions { display: flex; align-self: start; }
  .more { display: block; width: calc(100% - 24px); margin: 8px 12px; padding: 10px; }
  .blank { display: grid; justify-items: center; gap: 8px; padding: 44px 20px; color: var(--_muted); text-align: center; }
  .blank > .icon { width: 30px; height: 30px; opacity: 0.7; }
  .bones { padding: 16px 20px; display: grid; gap: 14px; }
  .bone { height: 46px; border-radius: 8px; background: var(--_raised); animation: breathe 1.4s ease-in-out infinite alternate; }
  @keyframes breathe { to { opacity: 0.45; } }
`;
