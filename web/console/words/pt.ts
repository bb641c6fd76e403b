import type { Words } from "./en";

const many = (count: number, one: string, more: string): string => (count === 1 ? `1 ${one}` : `${count} ${more}`);

export const pt: Words = {
  brand: "Notification hub",
  skip: "Ir para o conteúdo",
  views: "Seções",
  language: "Idioma",
  dark: "Escuro",
  light: "Claro",
  signOut: "Sair",
  status: { connecting: "Conectando…", online: "Ao vivo", reconnecting: "Reconectando…", ended: "Desconectado" },
  expiring: (time) => `Seu token expira às ${time}.`,
  newToken: "Informar outro",
  close: "Fechar",
  cancel: "Cancelar",
  retry: "Tentar de novo",
  results: "O que foi feito",
  never: "—",

  errors: {
    UNAUTHENTICATED: "O hub não reconhece este token. Pode estar incompleto, assinado com outra chave ou revogado.",
    TOKEN_EXPIRED: "Este token expirou.",
    INSUFFICIENT_PERMISSIONS: "O token é válido, mas não é de um administrador: falta o papel “admin”.",
    UNREACHABLE: "Não é possível falar com o hub.",
    OFFLINE: "Não há conexão com o hub neste momento.",
    NO_ANSWER: "O hub não respondeu. O pedido pode ter sido executado mesmo assim.",
    UNAVAILABLE: "Redis ou MongoDB está fora do ar.",
    RATE_LIMITED: "Pedidos demais. Aguarde um instante.",
    KICKED: "Outro administrador encerrou sua conexão.",
    BANNED: "Você está banido.",
    NOT_FOUND: "Nada foi encontrado.",
    CONFLICT: "Já há demais disto.",
  },

  login: {
    title: "Console",
    intro: "Para administradores. O token fica só nesta aba.",
    token: "Token de administrador",
    submit: "Entrar",
    busy: "Entrando…",
    how: "Para criar um, na máquina com o segredo do hub:",
    empty: "Cole um token primeiro.",
  },

  table: {
    loading: "Carregando…",
    error: "Não é possível mostrar isto.",
    refresh: "Atualizar",
    previous: "Página anterior",
    next: "Próxima página",
    page: (page, rows) => `Página ${page} · ${many(rows, "linha", "linhas")}`,
    asOf: (time) => `às ${time}`,
    select: "Selecionar",
    selectAll: "Selecionar a página",
    selected: (count) => many(count, "selecionada", "selecionadas"),
    actions: "Ações",
    details: "Detalhes",
  },

  overview: {
    nav: "Visão geral", title: "Visão geral",
    intro: "O cluster inteiro, a cada dois segundos.",
    connections: "Conexões", users: "Usuários", jobs: "Trabalhos ativos", publications: "Gravados / s", deliveries: "Entregues / s",
    p50: "p50", p99: "p99", latency: "Da publicação à escrita", lag: "Na fila", lagHint: "publicações nos journals",
    slow: "Cortadas", slowHint: "clientes lentos desde o início", dropped: "descartados", channels: "canais",
    memory: "Memória", cpu: "CPU", outbox: "À espera de clientes", work: "Trabalhos e journal",
    throughput: "Eventos por segundo", load: "Carga", minutes: "os últimos 15 minutos",
    socketio: "Socket.IO", websocket: "WebSocket", sse: "SSE",
    chartHelp: "Com as setas do teclado você lê um momento após o outro.",
    nodes: "Nós", node: "Nó", uptime: "No ar há", rate: "Repassados / s", state: "Estado", serving: "Atendendo", draining: "Drenando",
    noNodes: "Nenhum nó se manifestou ainda.",
  },

  connections: {
    nav: "Conexões", title: "Conexões",
    intro: "Todos que estão conectados, em qualquer nó e porta.",
    by: "Buscar por", byUser: "Usuário", byJob: "Trabalho", id: "Id exato", idHint: "todos", search: "Buscar", clear: "Limpar",
    user: "Usuário", door: "Porta", node: "Nó e endereço", address: "Endereço", channels: "Canais", since: "Desde", queued: "Na fila", sid: "Conexão",
    empty: "Ninguém está conectado.", emptySearch: "Ninguém conectado corresponde à busca.",
    kick: "Expulsar", kickWhom: (who) => `Expulsar ${who}`, kickAll: "Expulsar todos estes", tail: "Acompanhar",
    more: (count) => `e mais ${count}`,
    ended: (count) => (count === 1 ? "1 conexão foi encerrada." : `${count} conexões foram encerradas.`),
    banned: (users) => `${users}: banido.`,
  },

  kick: {
    title: (what) => `Expulsar ${what}?`,
    intro: "A pessoa fica sabendo o motivo e não volta sozinha.",
    whom: "Quem", one: "Esta conexão", all: "Todas deste usuário", ofJob: "Todos que seguem este trabalho",
    ban: "Manter fora por", bans: { 0: "não manter", 300: "5 minutos", 3600: "1 hora", 86400: "1 dia", 604800: "7 dias", 2592000: "30 dias" },
    message: "Mensagem", messageHint: "O que a pessoa vai ler (opcional)", act: "Expulsar", actBan: "Expulsar e banir",
    banHint: "O banimento é do usuário: encerra todas as conexões dele e recusa novas.",
  },

  access: {
    nav: "Acesso", title: "Acesso",
    intro: "Mantenha alguém fora, deixe entrar de novo ou revogue tokens. Vale em todos os nós em um segundo.",
    user: "Id do usuário", ban: "Banir um usuário", banIntro: "Também quem não está conectado agora.", banAct: "Banir…",
    unban: "Retirar um banimento", unbanIntro: "A pessoa pode se conectar na hora.", unbanAct: "Retirar o banimento", unbanned: (user) => `${user} pode se conectar de novo.`,
    revoke: "Revogar tokens", revokeIntro: "Todos os emitidos para o usuário até agora, ou um só pelo jti. Novos continuam valendo.",
    revokeUser: "Todos de um usuário", revokeJti: "Um token, pelo jti", revokeId: "Id do usuário ou jti", revokeAct: "Revogar…",
    revoked: "Revogado.", sure: (what) => `Revogar ${what}?`, sureText: "Quem usa um desses tokens agora é desconectado. Não há como desfazer.", sureAct: "Revogar",
  },

  broadcast: {
    nav: "Aviso geral", title: "Aviso geral", intro: "Diga algo a muitos de uma vez.",
    to: "Para", all: "Todos", users: "Usuários", topic: "Um tópico", job: "Quem segue um trabalho",
    usersHint: "Um id por linha, ou com vírgulas", topicHint: "Nome do tópico", jobHint: "Id do trabalho", target: "Quem",
    heading: "Título", body: "Texto", severity: "Gravidade",
    severities: { INFO: "Informação", SUCCESS: "Sucesso", WARNING: "Aviso", ERROR: "Erro" },
    persist: "Guardar", persistHint: "Fica na caixa de entrada de todos os destinatários, também de quem está fora.",
    live: "Só ao vivo", liveHint: "Só quem está conectado agora vê; nada é guardado.",
    how: "Quanto dura", preview: "Prévia", previewTitle: "Título", previewBody: "Aqui vai o texto.", now: "agora",
    send: "Enviar…", confirm: "Enviar isto?", confirmAct: "Enviar",
    summary: (to, persist) => (persist ? `Vai para a caixa de entrada de ${to} e não pode ser retirado.` : `Aparece para ${to}, se houver conexão.`),
    toAll: "todos", toUsers: (count) => many(count, "usuário", "usuários"), toTopic: (topic) => `quem assina ${topic}`, toJob: (job) => `quem segue ${job}`,
    reached: (count) => (count === 1 ? "1 conexão foi avisada." : `${count} conexões foram avisadas.`), nobody: "Não havia ninguém para avisar.", stored: "Está a caminho de todas as caixas de entrada.",
    missing: "Faltam título, texto ou destinatário.",
  },

  jobs: {
    nav: "Trabalhos", title: "Trabalhos", intro: "Os mais recentes primeiro, de todos os projetos.",
    status: "Estado", any: "Qualquer", job: "Trabalho", owner: "Dono", project: "Projeto", progress: "Progresso", started: "Início", updated: "Última novidade",
    kinds: { GENERATION_JOB: "Geração de testes", TEAM_EXECUTION: "Execução da equipe" },
    empty: "Não há trabalhos.", emptyStatus: "Nenhum trabalho está neste estado.", followers: "Seguidores", tail: "Acompanhar", of: (job) => `de ${job}`,
  },

  trace: {
    nav: "Rastro", title: "Rastro", intro: "Onde está minha mensagem? Siga um evento ou notificação do worker até os sockets.",
    id: "Id do evento ou notificação", find: "Buscar", empty: "Informe um id para ver o caminho.", badId: "Isto não é um id: é preciso um UUID.",
    missing: "Nenhum evento ou notificação tem este id, ou não tem mais.",
    states: { STORED: "Gravado", WAITING: "Na fila do journal", DEAD: "Carta morta" }, channel: "Canal", type: "Tipo",
    accepted: "Aceito", stored: "Gravado", routed: "Repassado", written: "Escrito nos sockets", seen: "Visto", read: "Lido",
    notNoted: "não anotado", notYet: "ainda não", partition: (number) => `no journal ${number}`,
    sample: "Nós e sockets são anotados de uma amostra dos eventos, e de todos enquanto o usuário ou trabalho é acompanhado.",
    writes: "Sockets em que foi escrito", user: "Usuário", door: "Porta", connection: "Conexão", at: "Hora", after: "Depois de", noWrites: "Nenhuma escrita foi anotada.", toDead: "Cartas mortas",
  },

  tail: {
    nav: "Acompanhar", title: "Acompanhar", intro: "Veja o que acontece com os eventos de um usuário ou trabalho, enquanto acontece.",
    by: "O quê", byUser: "Usuário", byJob: "Trabalho", bySid: "Conexão", id: "Id", begin: "Começar", end: "Parar", pause: "Pausar", resume: "Continuar", clear: "Limpar",
    watching: (what) => `Acompanhando ${what}`, idle: "Nada é acompanhado.", waiting: "Nada aconteceu ainda. Cada passo aparece aqui quando vem.",
    sidHint: "Uma conexão não tem passos próprios: os quadros dela vão para o log do nó.", paused: (count) => `Em pausa, mais ${count}`,
    steps: { STORED: "Gravado", ROUTED: "Repassado", WRITTEN: "Escrito" }, at: "Hora", step: "Passo", type: "Tipo", where: "Onde", event: "Evento", shown: (count) => many(count, "passo", "passos"),
    trace: "Rastro",
  },

  dead: {
    nav: "Cartas mortas", title: "Cartas mortas", intro: "Publicações que não puderam ser processadas. Repetir as devolve ao journal.",
    at: "Hora", reason: "Motivo", about: "Sobre", partition: "Journal", empty: "Não há cartas mortas.",
    replay: "Repetir", drop: "Descartar", replayIt: (id) => `Repetir ${id}`, dropIt: (id) => `Descartar ${id}`,
    sure: (count) => (count === 1 ? "Descartar esta carta?" : `Descartar ${count} cartas?`), sureText: "É jogada fora de vez. Não há como desfazer.",
    replayed: (count) => (count === 1 ? "1 carta voltou ao journal." : `${count} cartas voltaram ao journal.`),
    dropped: (count) => (count === 1 ? "1 carta foi descartada." : `${count} cartas foram descartadas.`),
    missing: (count) => `${count} já não estavam lá.`, publication: "Como foi publicada",
  },

  audit: {
    nav: "Auditoria", title: "Auditoria", intro: "O que os administradores fizeram, o mais recente primeiro.",
    at: "Hora", actor: "Quem", action: "Ação", target: "Alvo", outcome: "Resultado", empty: "Ninguém fez nada ainda.", looks: "Também quem só olhou", details: "Detalhes",
  },
};
