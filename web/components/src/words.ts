/** What the components say, in Portuguese, English and (`words.es.ts`) Spanish. */
import { es } from "./words.es";

const en = {
  status: {
    CREATED: "Created", PLANNING: "Planning", PLANNED: "Planned", WAITING_APPROVAL: "Waiting for approval",
    GENERATING: "Generating", VALIDATING: "Validating", COMPLETED: "Completed", FAILED: "Failed",
    CANCELLED: "Cancelled", RUNNING: "Running",
  } as Record<string, string>,
  kind: { GENERATION_JOB: "Test generation", TEAM_EXECUTION: "Team execution" } as Record<string, string>,
  job: "Job",
  scenarios: "scenarios",
  features: "features",
  elapsed: "Elapsed",
  remaining: (time: string) => `about ${time} left`,
  progress: "Progress",
  doing: (status: string, what: string) => `${status}: ${what}`,
  feature: "Feature",
  timeline: "What has happened",
  inProgress: "in progress",
  moments: "Waiting for the first result…",
  passed: "passed",
  failed: "failed",
  steps: "steps",
  took: (time: string) => `in ${time}`,
  failedAt: "Failed while",
  lastScenario: "Last scenario that succeeded",
  loading: "Loading…",
  feed: {
    polling: "Updated every few seconds",
    stale: "Not connected: this is what was last known",
  } as Record<string, string>,
  errors: {
    JOB_NOT_FOUND: "This job does not exist, or not any more.",
    INSUFFICIENT_PERMISSIONS: "You may not see this job.",
  } as Record<string, string>,
  error: "It cannot be shown right now.",
  notifications: "Notifications",
  unread: (count: number) => (count === 1 ? "1 unread" : `${count} unread`),
  nothingUnread: "nothing unread",
  filters: { UNREAD: "Unread", ALL: "All", DISMISSED: "Dismissed" },
  markAll: "Mark all as read",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  dismiss: "Dismiss",
  restore: "Restore",
  more: "Load more",
  empty: { UNREAD: "You are all caught up.", ALL: "No notifications yet.", DISMISSED: "Nothing was dismissed." },
  retry: "Try again",
  close: "Close",
  open: "Open",
  others: (count: number) => `and ${count} more`,
  severity: { INFO: "Information", SUCCESS: "Success", WARNING: "Warning", ERROR: "Error" },
  connection: {
    connecting: "Connecting…", online: "Live", reconnecting: "Reconnecting…", polling: "Delayed",
    offline: "Offline", idle: "Paused", refused: "Disconnected", closed: "Disconnected",
  },
  connectionHints: {
    polling: "Live updates cannot get through; news come every few seconds.",
    offline: "What you do is kept and sent when you are back.",
    idle: "Paused because nothing happened; it goes on with your next click.",
  } as Record<string, string>,
  again: (seconds: number) => `again in ${seconds} s`,
  waiting: (count: number) => (count === 1 ? "1 change waits" : `${count} changes wait`),
  reconnect: "Reconnect",
};

export type Words = typeof en;

const pt: Words = {
  status: {
    CREATED: "Criado", PLANNING: "Planejando", PLANNED: "Planejado", WAITING_APPROVAL: "Aguardando Aprovação",
    GENERATING: "Gerando", VALIDATING: "Validando", COMPLETED: "Concluído", FAILED: "Falhou",
    CANCELLED: "Cancelado", RUNNING: "Executando",
  },
  kind: { GENERATION_JOB: "Geração de Testes", TEAM_EXECUTION: "Execução da equipe" },
  job: "Trabalho",
  scenarios: "cenários",
  features: "features",
  elapsed: "Tempo decorrido",
  remaining: (time) => `cerca de ${time} restantes`,
  progress: "Progresso",
  doing: (status, what) => `${status}: ${what}`,
  feature: "Feature",
  timeline: "O que aconteceu",
  inProgress: "em andamento",
  moments: "Aguardando o primeiro resultado…",
  passed: "aprovados",
  failed: "reprovados",
  steps: "passos",
  took: (time) => `em ${time}`,
  failedAt: "Falhou durante",
  lastScenario: "Último cenário bem-sucedido",
  loading: "Carregando…",
  feed: {
    polling: "Atualizado a cada poucos segundos",
    stale: "Sem conexão: este é o último estado conhecido",
  },
  errors: {
    JOB_NOT_FOUND: "Este trabalho não existe ou não existe mais.",
    INSUFFICIENT_PERMISSIONS: "Você não tem permissão para ver este trabalho.",
  },
  error: "Não é possível mostrar isto agora.",
  notifications: "Notificações",
  unread: (count) => (count === 1 ? "1 não lida" : `${count} não lidas`),
  nothingUnread: "nenhuma não lida",
  filters: { UNREAD: "Não lidas", ALL: "Todas", DISMISSED: "Descartadas" },
  markAll: "Marcar todas como lidas",
  markRead: "Marcar como lida",
  markUnread: "Marcar como não lida",
  dismiss: "Descartar",
  restore: "Restaurar",
  more: "Carregar mais",
  empty: { UNREAD: "Você está em dia.", ALL: "Nenhuma notificação ainda.", DISMISSED: "Nada foi descartado." },
  retry: "Tentar de novo",
  close: "Fechar",
  open: "Abrir",
  others: (count) => `e mais ${count}`,
  severity: { INFO: "Informação", SUCCESS: "Sucesso", WARNING: "Aviso", ERROR: "Erro" },
  connection: {
    connecting: "Conectando…", online: "Ao vivo", reconnecting: "Reconectando…", polling: "Com atraso",
    offline: "Offline", idle: "Em pausa", refused: "Desconectado", closed: "Desconectado",
  },
  connectionHints: {
    polling: "As atualizações ao vivo não passam; as novidades chegam a cada poucos segundos.",
    offline: "O que você fizer fica guardado e é enviado quando a conexão voltar.",
    idle: "Em pausa por inatividade; continua no seu próximo clique.",
  },
  again: (seconds) => `de novo em ${seconds} s`,
  waiting: (count) => (count === 1 ? "1 alteração na fila" : `${count} alterações na fila`),
  reconnect: "Reconectar",
};

const LANGUAGES: Record<string, Words> = { pt, es, en };

/** The words of a language tag; English where there are none of it. */
export function wordsOf(lang: string): Words {
  return LANGUAGES[lang.toLowerCase().split("-")[0]!] ?? en;
}

/** `CODE_REVIEW` as `Code review`. */
export function humanized(code: string): string {
  const text = code.toLowerCase().replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `5m 30s`, `1h 02m`, `42s`: the two largest parts. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h) return `${h}h ${String(m).padStart(2, "0")}m`;
  return m ? `${m}m ${String(s).padStart(2, "0")}s` : `${s}s`;
}

export function clock(lang: string, iso: string): string {
  return new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(iso));
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86_400], ["hour", 3600], ["minute", 60]];

/** `2 minutes ago`; a date for what is older than a week. */
export function ago(lang: string, iso: string, now: number): string {
  const seconds = Math.max(0, (now - Date.parse(iso)) / 1000);
  if (seconds > 7 * 86_400) return new Intl.DateTimeFormat(lang, { dateStyle: "medium" }).format(new Date(iso));
  const format = new Intl.RelativeTimeFormat(lang, { numeric: "auto", style: "short" });
  for (const [unit, size] of UNITS) if (seconds >= size) return format.format(-Math.floor(seconds / size), unit);
  return format.format(0, "second");
}
