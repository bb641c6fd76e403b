/** Opens the gallery of components, and publishes what there is to show. */
import type { BrowserContext, Locator, Page } from "playwright-core";
import type { WorkedJob, Worker } from "../hub";
import { built, type Files, serve } from "./serving";

const ROOT = new URL("../../gallery", import.meta.url).pathname;

let files: Promise<Files> | undefined;

const PLAN: [feature: string, scenarios: string[]][] = [
  ["Gestão de Clientes", ["Criar cliente com dados válidos", "Recusar CPF inválido", "Editar endereço de um cliente"]],
  ["Autenticação", ["Entrar com senha válida", "Bloquear após cinco tentativas", "Recuperar a senha por e-mail"]],
];

/** Publishes jobs in all states. `owner` is told when one of them ends. */
export async function publishJobs(worker: Worker, owner: string): Promise<WorkedJob[]> {
  const scenario = (feature: number, n: number): Record<string, unknown> => ({
    scenarioId: `s${feature}${n}`, featureId: `f${feature}`, featureName: PLAN[feature]![0], title: PLAN[feature]![1][n], stepsCount: 4 + n,
  });
  const whole = async (job: WorkedJob, feature: number): Promise<void> => {
    for (const n of [0, 1, 2]) await job.event("SCENARIO_COMPLETED", scenario(feature, n));
    await job.event("FEATURE_COMPLETED", { featureId: `f${feature}`, name: PLAN[feature]![0], scenariosCount: 3, totalSteps: 15 });
  };
  const start = (): Promise<WorkedJob> => worker.job(undefined, owner).start(6, 2);

  const [running, completed, failed, team] = await Promise.all([
    start(), start(), start(), worker.job(undefined, owner, { jobKind: "TEAM_EXECUTION" }).start(0, 0),
  ]);
  await Promise.all([
    (async () => {
      await whole(running, 0);
      await running.event("SCENARIO_COMPLETED", scenario(1, 0));
      await running.activity(PLAN[1]![1][1]!, PLAN[1]![0]);
    })(),
    (async () => {
      await whole(completed, 0);
      await whole(completed, 1);
      await completed.event("JOB_STATUS_CHANGED", { currentStatus: "VALIDATING" });
      await completed.event("JOB_COMPLETED", { passed: 5, failed: 1 });
    })(),
    (async () => {
      await failed.event("SCENARIO_COMPLETED", scenario(0, 0));
      await failed.event("JOB_FAILED", { errorCode: "GENERATION_TIMEOUT", message: "O modelo não respondeu dentro de 5 minutos." });
    })(),
    (async () => {
      await team.event("JOB_STATUS_CHANGED", { currentStatus: "RUNNING" });
      await team.event("PROGRESS_UPDATED", { percentage: 20, message: "Analista revisou os requisitos" });
      await team.event("PROGRESS_UPDATED", { percentage: 60, message: "Desenvolvedor implementa o cadastro" });
    })(),
  ]);
  return [running, completed, failed, team];
}

const NOTES: [title: string, body: string, severity: string, link?: string][] = [
  ["Geração concluída", "6 cenários em 2 features, 5 aprovados e 1 reprovado.", "SUCCESS", "/#/jobs/1"],
  ["Aprovação pendente", "O plano de testes de Gestão de Clientes espera por você.", "WARNING", "/#/plans/7"],
  ["Execução falhou", "O modelo não respondeu dentro de 5 minutos.", "ERROR"],
  ["Equipe atualizada", "Carla entrou na equipe Pagamentos.", "INFO"],
];

/** Publishes notifications of every severity. */
export async function publishNotes(worker: Worker, user: string): Promise<void> {
  for (const [title, body, severity, link] of NOTES) {
    await worker.publish({ kind: "NOTIFICATION", to: { users: [user] }, type: "sample", title, body, severity, ...(link ? { link } : {}) });
  }
}

/** Opens the gallery; resolves once every component shows what it has to. */
export async function openGallery(
  context: BrowserContext, url: string, worker: Worker, user: string, more: Record<string, string> = {},
): Promise<Page> {
  await serve(context, url, "/gallery/", await (files ??= built(ROOT, "/gallery/", ["index.html"])));
  const [jobs, page] = await Promise.all([publishJobs(worker, `owner-of-${user}`), context.newPage()]);
  const query = new URLSearchParams({ user, nobody: `nobody-${user}`, ...more });
  for (const job of [...jobs.map(({ id }) => id), "missing"]) query.append("job", job);
  await page.goto(`${url}/gallery/index.html?${query}`);
  await page.locator("hub-inbox .blank").nth(2).waitFor(); // toasts are of what comes from now on
  await publishNotes(worker, user);
  await page.locator("#inbox hub-inbox").first().locator("li").nth(3).waitFor();
  await page.locator("#toasts article").nth(2).waitFor();
  const act = (title: string): Locator => page.locator("#inbox hub-inbox").nth(1).locator(`button[aria-label$="${title}"]`);
  await act("Equipe atualizada").last().click(); // dismisses it
  await act("Geração concluída").first().click(); // has it read
  await page.locator("#bell hub-bell").last().locator("button.bell").click();
  await page.locator("#bell [role=dialog] li").first().waitFor();
  await page.locator("#inbox hub-inbox").nth(2).locator("li").waitFor();
  const progress = page.locator("#progress hub-job-progress");
  for (const part of [".open", ".summary", ".failure", "li >> nth=2", ".blank"]) await progress.locator(part).first().waitFor();
  return page;
}
