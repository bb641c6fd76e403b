"""What the demo jobs are about: features with their scenarios, Portuguese and English."""

from __future__ import annotations

FEATURES: dict[str, tuple[str, ...]] = {
    "Autenticação de Usuários": (
        "Login com credenciais válidas",
        "Login com senha incorreta",
        "Bloqueio após cinco tentativas inválidas",
        "Recuperação de senha por e-mail",
        "Sessão expirada redireciona para o login",
        "Logout encerra todas as sessões",
    ),
    "Gestão de Clientes": (
        "Criar cliente com dados válidos",
        "Recusar CPF já cadastrado",
        "Editar endereço do cliente",
        "Inativar cliente com pedidos em aberto",
        "Buscar cliente por parte do nome",
        "Exportar a lista de clientes em CSV",
        "Mesclar dois cadastros duplicados",
    ),
    "Pagamentos": (
        "Pagar com cartão de crédito em três parcelas",
        "Recusar cartão vencido",
        "Gerar PIX e confirmar pagamento",
        "Estornar pagamento parcial",
        "Boleto vencido gera segunda via",
        "Cobrança duplicada é ignorada",
    ),
    "Relatórios": (
        "Relatório mensal com filtro por filial",
        "Relatório vazio mostra mensagem",
        "Agendar envio semanal por e-mail",
        "Exportar relatório em PDF",
    ),
    "Notificações": (
        "Notificar o dono ao concluir a geração",
        "Silenciar um tipo de notificação",
        "Marcar todas como lidas em outro dispositivo",
        "Contador de não lidas após reconexão",
        "Notificação expirada não aparece",
    ),
    "Shopping cart": (
        "Add the same product twice",
        "Remove the last item",
        "Apply an expired voucher",
        "Keep the cart across devices",
        "Stock runs out during checkout",
        "Change quantity to zero",
    ),
    "Checkout": (
        "Guest checkout with a saved address",
        "Card declined by the issuer",
        "Retry after a network failure charges once",
        "Tax is computed for the delivery country",
        "Order confirmation is sent by e-mail",
        "Back button does not resubmit the order",
        "Free shipping above the threshold",
    ),
    "User management": (
        "Invite a colleague by e-mail",
        "Revoke an invitation",
        "Change a member's role",
        "Last administrator cannot leave",
        "Suspended user is signed out everywhere",
    ),
    "Search": (
        "Search ignores accents and case",
        "No results suggests corrections",
        "Filter by category and price",
        "Sort by newest first",
        "Deep page returns stable results",
    ),
    "API keys": (
        "Create a key with read access only",
        "Rotated key stops working after the grace period",
        "Key is shown once",
        "Rate limit is reported in headers",
    ),
}
"""Feature → titles of its scenarios."""

FAILURES: tuple[tuple[str, str], ...] = (
    ("MODEL_UNAVAILABLE", "The language model did not answer after 3 attempts"),
    ("VALIDATION_FAILED", "2 cenários gerados não compilam"),
    ("SPECIFICATION_UNREADABLE", "The uploaded specification could not be parsed"),
)
"""(error code, message) of jobs that fail otherwise than by running out of time."""

TEAM_STEPS: tuple[str, ...] = (
    "Distribuindo cenários entre os agentes",
    "Preparing browsers",
    "Executando cenários críticos",
    "Executando regressão",
    "Re-running flaky scenarios",
    "Consolidando resultados",
)
"""What a team execution is doing, in order."""

NOTICES: tuple[tuple[str, str, str, str], ...] = (
    ("team.updated", "INFO", "Equipe atualizada", "Marina entrou na equipe Pagamentos."),
    ("review.requested", "INFO", "Review requested", "5 scenarios of Checkout wait for you."),
    ("quota.warning", "WARNING", "Quota at 80 %", "The demo project has used 80 % of its month."),
    ("suite.green", "SUCCESS", "Suíte aprovada", "Todos os 42 cenários passaram."),
    ("integration.broken", "ERROR", "Integração falhou", "O webhook do Jira respondeu 500."),
)
"""(type, severity, title, body) of notifications to the demo users."""
