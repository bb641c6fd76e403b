import { css } from "lit";

export const appStyles = css`
  :host { display: flex; flex-direction: column; min-height: 100vh; background: var(--page); }
  .skip { position: absolute; left: -999px; }
  .skip:focus { left: 12px; top: 10px; z-index: 99; background: var(--_surface); padding: 8px 12px; border-radius: 8px; }
  header {
    display: flex; align-items: center; flex-wrap: wrap; gap: 8px 16px; padding: 9px clamp(12px, 2vw, 24px); min-height: 54px;
    background: var(--_surface); border-bottom: 1px solid var(--_line);
  }
  .brand { display: flex; align-items: center; gap: 10px; color: inherit; font-weight: 700; letter-spacing: -0.015em; }
  .brand:hover { text-decoration: none; }
  .brand svg { width: 23px; height: 23px; color: var(--_accent); }
  .settings { margin-left: auto; display: flex; gap: 6px; align-items: center; }
  .settings select { width: auto; min-height: 28px; padding: 2px 6px; font-size: 12.5px; font-weight: 570; }
  .body { flex: 1; display: grid; grid-template-columns: 208px minmax(0, 1fr); }
  nav { padding: 14px 10px; display: flex; flex-direction: column; gap: 2px; border-right: 1px solid var(--_line); background: color-mix(in srgb, var(--_surface) 55%, var(--page)); }
  nav a { display: flex; align-items: center; gap: 10px; padding: 7px 11px; border-radius: 8px; color: var(--_muted); font-weight: 550; white-space: nowrap; }
  nav a:hover { color: var(--_text); background: var(--_raised); text-decoration: none; }
  nav a[aria-current] { color: var(--_accent); background: color-mix(in srgb, var(--_accent) 11%, var(--_surface)); }
  main { padding: 22px clamp(12px, 2.4vw, 32px) 48px; min-width: 0; width: 100%; max-width: 1480px; box-sizing: border-box; }
  main:has(console-login) { flex: 1; margin: 0 auto; }
  .expiry {
    display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; padding: 9px 14px; margin-bottom: 16px; border-radius: 10px; font-weight: 550;
    color: var(--_tone); background: color-mix(in srgb, var(--_tone) 10%, var(--_surface)); border: 1px solid color-mix(in srgb, var(--_tone) 24%, transparent);
  }
  .notes { position: fixed; right: 16px; bottom: 16px; z-index: 60; display: grid; gap: 8px; width: min(380px, calc(100vw - 32px)); pointer-events: none; }
  .notes p {
    display: flex; gap: 10px; padding: 11px 14px; border-radius: 10px; font-weight: 550; overflow-wrap: anywhere; background: var(--_surface);
    border: 1px solid var(--_line); border-left: 4px solid var(--_tone); box-shadow: 0 10px 32px light-dark(#0f172a26, #000a); animation: come 0.2s ease-out;
  }
  .notes .icon { color: var(--_tone); margin-top: 2px; }
  @keyframes come { from { opacity: 0; transform: translateY(10px); } }
  @media (max-width: 860px) {
    .body { grid-template-columns: minmax(0, 1fr); grid-template-rows: auto 1fr; }
    nav { flex-direction: row; overflow-x: auto; padding: 6px 8px; border-right: 0; border-bottom: 1px solid var(--_line); scrollbar-width: thin; }
    nav a { padding: 7px 10px; }
    main { padding-top: 16px; }
  }
  @media (max-width: 480px) {
    .brand span { display: none; }
    header { gap: 8px; }
  }
`;
