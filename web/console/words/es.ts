import type { Words } from "./en";

const many = (count: number, one: string, more: string): string => (count === 1 ? `1 ${one}` : `${count} ${more}`);

export const es: Words = {
  brand: "Notification hub",
  skip: "Ir al contenido",
  views: "Secciones",
  language: "Idioma",
  dark: "Oscuro",
  light: "Claro",
  signOut: "Salir",
  status: { connecting: "Conectando…", online: "En vivo", reconnecting: "Reconectando…", ended: "Desconectado" },
  expiring: (time) => `Tu token caduca a las ${time}.`,
  newToken: "Introducir otro",
  close: "Cerrar",
  cancel: "Cancelar",
  retry: "Reintentar",
  results: "Lo que se hizo",
  never: "—",

  errors: {
    UNAUTHENTICATED: "El hub no reconoce este token. Puede estar incompleto, firmado con otra clave o revocado.",
    TOKEN_EXPIRED: "Este token ha caducado.",
    INSUFFICIENT_PERMISSIONS: "El token es válido, pero no es de un administrador: le falta el rol «admin».",
    UNREACHABLE: "No se puede contactar con el hub.",
    OFFLINE: "Ahora mismo no hay conexión con el hub.",
    NO_ANSWER: "El hub no respondió. Lo pedido puede haberse hecho igualmente.",
    UNAVAILABLE: "Redis o MongoDB no está disponible.",
    RATE_LIMITED: "Demasiadas peticiones. Espera un momento.",
    KICKED: "Otro administrador ha cerrado tu conexión.",
    BANNED: "Estás bloqueado.",
    NOT_FOUND: "No se encontró nada.",
    CONFLICT: "Ya hay demasiado de esto.",
  },

  login: {
    title: "Consola",
    intro: "Para administradores. El token se queda en esta pestaña.",
    token: "Token de administrador",
    submit: "Entrar",
    busy: "Entrando…",
    how: "Para crear uno, en una máquina con el secreto del hub:",
    empty: "Pega primero un token.",
  },

  table: {
    loading: "Cargando…",
    error: "Esto no se puede mostrar.",
    refresh: "Actualizar",
    previous: "Página anterior",
    next: "Página siguiente",
    page: (page, rows) => `Página ${page} · ${many(rows, "fila", "filas")}`,
    asOf: (time) => `a las ${time}`,
    select: "Seleccionar",
    selectAll: "Seleccionar la página",
    selected: (count) => many(count, "seleccionada", "seleccionadas"),
    actions: "Acciones",
    details: "Detalles",
  },

  overview: {
    nav: "Resumen", title: "Resumen",
    intro: "Todo el clúster, cada dos segundos.",
    connections: "Conexiones", users: "Usuarios", jobs: "Trabajos activos", publications: "Guardados / s", deliveries: "Entregados / s",
    p50: "p50", p99: "p99", latency: "De publicación a escritura", lag: "En espera", lagHint: "publicaciones en los journals",
    slow: "Cortadas", slowHint: "clientes lentos desde el inicio", dropped: "descartados", channels: "canales",
    memory: "Memoria", cpu: "CPU", outbox: "A la espera de clientes", work: "Trabajos y journal",
    throughput: "Eventos por segundo", load: "Carga", minutes: "los últimos 15 minutos",
    socketio: "Socket.IO", websocket: "WebSocket", sse: "SSE",
    chartHelp: "Con las flechas del teclado se lee un momento tras otro.",
    nodes: "Nodos", node: "Nodo", uptime: "Activo desde hace", rate: "Reenviados / s", state: "Estado", serving: "Sirviendo", draining: "Vaciándose",
    noNodes: "Ningún nodo ha dicho nada todavía.",
  },

  connections: {
    nav: "Conexiones", title: "Conexiones",
    intro: "Todos los que están conectados, en cualquier nodo y puerta.",
    by: "Buscar por", byUser: "Usuario", byJob: "Trabajo", id: "Id exacto", idHint: "todos", search: "Buscar", clear: "Limpiar",
    user: "Usuario", door: "Puerta", node: "Nodo y dirección", address: "Dirección", channels: "Canales", since: "Desde", queued: "En cola", sid: "Conexión",
    empty: "Nadie está conectado.", emptySearch: "Nadie conectado coincide.",
    kick: "Expulsar", kickWhom: (who) => `Expulsar a ${who}`, kickAll: "Expulsar a todos estos", tail: "Seguir",
    more: (count) => `y ${count} más`,
    ended: (count) => (count === 1 ? "Se cerró 1 conexión." : `Se cerraron ${count} conexiones.`),
    banned: (users) => `${users}: bloqueado.`,
  },

  kick: {
    title: (what) => `¿Expulsar a ${what}?`,
    intro: "Se le dice por qué y no vuelve por sí solo.",
    whom: "A quién", one: "Esta conexión", all: "Todas de este usuario", ofJob: "Todos los que siguen este trabajo",
    ban: "Mantener fuera", bans: { 0: "no", 300: "5 minutos", 3600: "1 hora", 86400: "1 día", 604800: "7 días", 2592000: "30 días" },
    message: "Mensaje", messageHint: "Lo que podrá leer (opcional)", act: "Expulsar", actBan: "Expulsar y bloquear",
    banHint: "El bloqueo es del usuario: cierra todas sus conexiones y rechaza las nuevas.",
  },

  access: {
    nav: "Acceso", title: "Acceso",
    intro: "Mantén a alguien fuera, déjalo entrar de nuevo o revoca tokens. Vale en todos los nodos en un segundo.",
    user: "Id de usuario", ban: "Bloquear a un usuario", banIntro: "También a quien no está conectado ahora.", banAct: "Bloquear…",
    unban: "Levantar un bloqueo", unbanIntro: "Puede volver a conectarse al instante.", unbanAct: "Levantar el bloqueo", unbanned: (user) => `${user} puede conectarse de nuevo.`,
    revoke: "Revocar tokens", revokeIntro: "Todos los emitidos al usuario hasta ahora, o uno solo por su jti. Los nuevos valen.",
    revokeUser: "Todos los de un usuario", revokeJti: "Un token, por su jti", revokeId: "Id de usuario o jti", revokeAct: "Revocar…",
    revoked: "Revocado.", sure: (what) => `¿Revocar ${what}?`, sureText: "Quien use ahora uno de estos tokens queda desconectado. No se puede deshacer.", sureAct: "Revocar",
  },

  broadcast: {
    nav: "Difusión", title: "Difusión", intro: "Di algo a muchos a la vez.",
    to: "Para", all: "Todos", users: "Usuarios", topic: "Un tema", job: "Quien sigue un trabajo",
    usersHint: "Un id por línea, o con comas", topicHint: "Nombre del tema", jobHint: "Id del trabajo", target: "A quién",
    heading: "Título", body: "Texto", severity: "Gravedad",
    severities: { INFO: "Información", SUCCESS: "Éxito", WARNING: "Aviso", ERROR: "Error" },
    persist: "Guardar", persistHint: "Queda en la bandeja de todos los destinatarios, también de quien no está.",
    live: "Solo en vivo", liveHint: "Solo lo ve quien está conectado ahora; no se guarda nada.",
    how: "Cuánto dura", preview: "Vista previa", previewTitle: "Título", previewBody: "Aquí va el texto.", now: "ahora",
    send: "Enviar…", confirm: "¿Enviar esto?", confirmAct: "Enviar",
    summary: (to, persist) => (persist ? `Va a la bandeja de ${to} y no se puede retirar.` : `Se muestra a ${to}, si hay conexión.`),
    toAll: "todos", toUsers: (count) => many(count, "usuario", "usuarios"), toTopic: (topic) => `quien está suscrito a ${topic}`, toJob: (job) => `quien sigue ${job}`,
    reached: (count) => (count === 1 ? "Se avisó a 1 conexión." : `Se avisó a ${count} conexiones.`), nobody: "No había nadie a quien avisar.", stored: "Está en camino a todas las bandejas.",
    missing: "Faltan título, texto o destinatario.",
  },

  jobs: {
    nav: "Trabajos", title: "Trabajos", intro: "Los últimos primero, de todos los proyectos.",
    status: "Estado", any: "Cualquiera", job: "Trabajo", owner: "Dueño", project: "Proyecto", progress: "Progreso", started: "Inicio", updated: "Última novedad",
    kinds: { GENERATION_JOB: "Generación de pruebas", TEAM_EXECUTION: "Ejecución del equipo" },
    empty: "No hay trabajos.", emptyStatus: "Ningún trabajo está en este estado.", followers: "Seguidores", tail: "Seguir", of: (job) => `de ${job}`,
  },

  trace: {
    nav: "Rastro", title: "Rastro", intro: "¿Dónde está mi mensaje? Sigue un evento o notificación del worker a los sockets.",
    id: "Id del evento o notificación", find: "Buscar", empty: "Introduce un id para ver su camino.", badId: "Esto no es un id: hace falta un UUID.",
    missing: "Ningún evento o notificación tiene este id, o ya no.",
    states: { STORED: "Guardado", WAITING: "En espera en su journal", DEAD: "Carta muerta" }, channel: "Canal", type: "Tipo",
    accepted: "Aceptado", stored: "Guardado", routed: "Reenviado", written: "Escrito en sockets", seen: "Visto", read: "Leído",
    notNoted: "no anotado", notYet: "todavía no", partition: (number) => `en el journal ${number}`,
    sample: "Nodos y sockets se anotan de una muestra de los eventos, y de todos mientras se sigue a su usuario o trabajo.",
    writes: "Sockets en los que se escribió", user: "Usuario", door: "Puerta", connection: "Conexión", at: "Hora", after: "Después de", noWrites: "No se anotó ninguna escritura.", toDead: "Cartas muertas",
  },

  tail: {
    nav: "Seguir", title: "Seguir", intro: "Mira lo que pasa con los eventos de un usuario o un trabajo, mientras pasa.",
    by: "Qué", byUser: "Usuario", byJob: "Trabajo", bySid: "Conexión", id: "Id", begin: "Empezar", end: "Parar", pause: "Pausar", resume: "Continuar", clear: "Limpiar",
    watching: (what) => `Siguiendo ${what}`, idle: "No se sigue nada.", waiting: "Todavía no ha pasado nada. Cada paso aparece aquí según llega.",
    sidHint: "Una conexión no tiene pasos propios: sus tramas van al log de su nodo.", paused: (count) => `En pausa, ${count} más`,
    steps: { STORED: "Guardado", ROUTED: "Reenviado", WRITTEN: "Escrito" }, at: "Hora", step: "Paso", type: "Tipo", where: "Dónde", event: "Evento", shown: (count) => many(count, "paso", "pasos"),
    trace: "Rastro",
  },

  dead: {
    nav: "Cartas muertas", title: "Cartas muertas", intro: "Publicaciones que no se pudieron procesar. Repetir las devuelve a su journal.",
    at: "Hora", reason: "Motivo", about: "Sobre", partition: "Journal", empty: "No hay cartas muertas.",
    replay: "Repetir", drop: "Descartar", replayIt: (id) => `Repetir ${id}`, dropIt: (id) => `Descartar ${id}`,
    sure: (count) => (count === 1 ? "¿Descartar esta carta?" : `¿Descartar ${count} cartas?`), sureText: "Se tira para siempre. No se puede deshacer.",
    replayed: (count) => (count === 1 ? "1 carta volvió a su journal." : `${count} cartas volvieron a su journal.`),
    dropped: (count) => (count === 1 ? "Se descartó 1 carta." : `Se descartaron ${count} cartas.`),
    missing: (count) => `${count} ya no estaban.`, publication: "Como se publicó",
  },

  audit: {
    nav: "Auditoría", title: "Auditoría", intro: "Lo que hicieron los administradores, lo último primero.",
    at: "Hora", actor: "Quién", action: "Acción", target: "Objetivo", outcome: "Resultado", empty: "Nadie ha hecho nada todavía.", looks: "También quien solo miró", details: "Detalles",
  },
};
