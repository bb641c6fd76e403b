/** `<console-access>`: bans, their end, and tokens that are taken back. */
import { css, html, type TemplateResult } from "lit";
import { look } from "../../components/src/look";
import { ConsoleElement, submitted } from "../base";
import type { ConsoleConfirm } from "../dialog";
import type { ConsoleKick } from "../kick";
import { shared } from "../look";

export class ConsoleAccess extends ConsoleElement {
  static override styles = [look, shared, css`
    .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 12px; align-items: start; }
  `];

  override render(): TemplateResult {
    const { access } = this.words;
    const user = html`<label class="field"><span>${access.user}</span><input name="user" required maxlength="128" autocomplete="off" spellcheck="false" /></label>`;
    return html`
      <div class="view">
        <div class="head"><div><h1 tabindex="-1">${access.title}</h1><p>${access.intro}</p></div></div>
        <div class="cards">
          <form class="card pad stack ban" @submit=${submitted(({ user: userId }) => void this.renderRoot.querySelector<ConsoleKick>("console-kick")!.open({ userId: userId!, ban: 3600 }))}>
            <div><h2>${access.ban}</h2><p class="hint">${access.banIntro}</p></div>${user}
            <div><button class="button quiet-danger">${access.banAct}</button></div>
          </form>
          <form class="card pad stack unban" @submit=${submitted(({ user: userId }) => void this.#unban(userId!))}>
            <div><h2>${access.unban}</h2><p class="hint">${access.unbanIntro}</p></div>${user}
            <div><button class="button">${access.unbanAct}</button></div>
          </form>
          <form class="card pad stack revoke" @submit=${submitted(({ by, id }) => void this.#revoke(by === "jti" ? { jti: id! } : { userId: id! }))}>
            <div><h2>${access.revoke}</h2><p class="hint">${access.revokeIntro}</p></div>
            <div class="stack">
              <fieldset><legend class="said">${access.revoke}</legend>
                <label class="choice"><input type="radio" name="by" value="user" checked />${access.revokeUser}</label>
                <label class="choice"><input type="radio" name="by" value="jti" />${access.revokeJti}</label>
              </fieldset>
              <label class="field"><span>${access.revokeId}</span><input name="id" required maxlength="1024" autocomplete="off" spellcheck="false" /></label>
            </div>
            <div><button class="button quiet-danger">${access.revokeAct}</button></div>
          </form>
        </div>
        <console-kick></console-kick><console-confirm></console-confirm>
      </div>`;
  }

  #unban(userId: string): Promise<boolean> {
    return this.attempt(async () => {
      await this.admin.call("unban", { userId });
      return this.words.access.unbanned(userId);
    });
  }

  async #revoke(what: { userId: string } | { jti: string }): Promise<void> {
    const { access } = this.words;
    const sure = await this.renderRoot.querySelector<ConsoleConfirm>("console-confirm")!.ask(access.sure(Object.values(what)[0] as string), access.sureText, access.sureAct);
    if (!sure) return;
    await this.attempt(async () => {
      await this.admin.call("revoke", what);
      return access.revoked;
    });
  }
}
