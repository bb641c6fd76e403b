/** Numbers, sizes and times, as people read them. */
export function whole(lang: string, value: number): string {
  return new Intl.NumberFormat(lang, { maximumFractionDigits: 0 }).format(value);
}

/** `12,345`, `0.4`; large ones as `1.2M`. */
export function rate(lang: string, value: number): string {
  const notation = value >= 100_000 ? "compact" : "standard";
  return new Intl.NumberFormat(lang, { notation, maximumFractionDigits: value >= 100 && notation === "standard" ? 0 : 1 }).format(value);
}

const SIZES = ["B", "KB", "MB", "GB", "TB"];

export function bytes(lang: string, value: number): string {
  const power = Math.min(SIZES.length - 1, value < 1 ? 0 : Math.floor(Math.log(value) / Math.log(1024)));
  const scaled = value / 1024 ** power;
  return `${new Intl.NumberFormat(lang, { maximumFractionDigits: scaled < 10 && power ? 1 : 0 }).format(scaled)} ${SIZES[power]}`;
}

export function ms(lang: string, value: number): string {
  if (value >= 10_000) return `${new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(value / 1000)} s`;
  return `${new Intl.NumberFormat(lang, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)} ms`;
}

export function percent(lang: string, value: number): string {
  return `${new Intl.NumberFormat(lang, { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value)}%`;
}

export function clock(lang: string, at: string | number): string {
  return new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(at));
}

/** With milliseconds: for what is compared with logs. */
export function exact(lang: string, at: string, now = new Date()): string {
  const date = new Date(at);
  return new Intl.DateTimeFormat(lang, {
    ...(date.toDateString() === now.toDateString() ? {} : { month: "short", day: "numeric" }),
    hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
  }).format(date);
}

/** The time, and the date unless it is today. */
export function when(lang: string, at: string, now = new Date()): string {
  const date = new Date(at);
  if (date.toDateString() === now.toDateString()) return clock(lang, at);
  return new Intl.DateTimeFormat(lang, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
}
