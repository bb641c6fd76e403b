import { css } from "lit";

export const jobStyles = css`
  :host { display: block; min-width: 0; }
  .card {
    background: var(--_surface); border: 1px solid var(--_line); border-radius: var(--_radius);
    box-shadow: var(--_shadow); padding: 20px; display: grid; gap: 14px; position: relative; min-width: 0;
  }
  p, h3, dl, dd, ol { margin: 0; padding: 0; }
  header { display: flex; align-items: center; gap: 6px 12px; flex-wrap: wrap; }
  h3 { font-size: 16px; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
  .time { margin-left: auto; color: var(--_muted); display: inline-flex; align-items: center; gap: 6px; font-weight: 500; }
  .bar-row { display: flex; align-items: center; gap: 14px; }
  .bar-row strong { font-weight: 650; min-width: 3.2ch; text-align: right; }
  .bar { flex: 1; height: 10px; border-radius: 99px; background: light-dark(#e9ebf1, #2a2e37); overflow: hidden; }
  .fill {
    height: 100%; width: 0; border-radius: inherit; background: var(--_accent);
    transition: width 0.6s cubic-bezier(0.2, 0.8, 0.2, 1);
  }
  .completed .fill { background: var(--_green); }
  .failed .fill { background: var(--_red); }
  .cancelled .fill { background: var(--_grey); }
  .validating .fill { background: var(--_purple); }
  .counts { display: flex; flex-wrap: wrap; gap: 2px 18px; color: var(--_muted); }
  .counts:empty { display: none; }
  .counts b { color: var(--_text); font-weight: 600; }
  .rest { margin-left: auto; }
  .now {
    display: flex; gap: 12px; padding: 12px 14px; border-radius: calc(var(--_radius) - 4px);
    background: color-mix(in srgb, var(--_accent) 7%, var(--_surface)); overflow-wrap: anywhere;
  }
  .now .icon { color: var(--_accent); margin-top: 3px; }
  .now p { font-weight: 550; }
  .now .minor { color: var(--_muted); font-weight: 400; font-size: 13px; }
  .outcome { border-radius: calc(var(--_radius) - 4px); padding: 12px 14px; }
  .summary { display: flex; flex-wrap: wrap; gap: 4px 20px; background: color-mix(in srgb, var(--_green) 9%, var(--_surface)); }
  .summary b { font-size: 16px; }
  .passed b { color: var(--_green); }
  .summary .failed b { color: var(--_red); }
  .failure { display: flex; gap: 12px; background: color-mix(in srgb, var(--_red) 8%, var(--_surface)); overflow-wrap: anywhere; }
  .failure > .icon { color: var(--_red); margin-top: 3px; }
  .failure .message { font-weight: 600; }
  dl { display: grid; gap: 2px; margin-top: 6px; font-size: 13px; }
  dl div { display: flex; flex-wrap: wrap; gap: 0 8px; }
  dt { color: var(--_muted); }
  code { font: 600 12px/1.6 ui-monospace, "SF Mono", Menlo, monospace; color: var(--_red); }
  ol { list-style: none; max-height: 244px; overflow: auto; scrollbar-width: thin; border-top: 1px solid var(--_line); padding-top: 10px;
    mask: linear-gradient(#000 0 0) top / 100% 1px no-repeat, linear-gradient(#0000, #000 12px) 0 1px; /* what is scrolled away fades */
  }
  li { display: flex; align-items: baseline; gap: 10px; padding: 4px 0; }
  li .icon { align-self: center; width: 1.05em; height: 1.05em; }
  li span { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  li.feature span { font-weight: 600; }
  li.green .icon { color: var(--_green); }
  li.red .icon { color: var(--_red); }
  li.grey { color: var(--_muted); }
  li.open .icon { color: var(--_accent); }
  time, em { color: var(--_muted); font-size: 12.5px; font-style: normal; }
  .feed, .empty { color: var(--_muted); font-size: 13px; }
  .feed { display: flex; align-items: center; gap: 8px; }
  .blank { display: flex; gap: 10px; align-items: center; color: var(--_muted); padding: 12px 0; }
  .bone { height: 14px; width: 45%; border-radius: 6px; background: var(--_raised); animation: breathe 1.4s ease-in-out infinite alternate; }
  .bone.wide { width: 60%; height: 20px; }
  .bone.bar { width: 100%; height: 10px; }
  .bone.tall { width: 100%; height: 96px; }
  @keyframes breathe { to { opacity: 0.45; } }
  @media (max-width: 420px) { .card { padding: 16px; } }
`;
