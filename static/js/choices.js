/**
 * Workspace → service account → team: what may be chosen, and what follows from the choice.
 *
 * The page has the accounts of the workspace that it came with; those of another are asked for when it is chosen.
 *
 * @typedef {{slug: string, name: string, max_ttl: number, default_ttl: number,
 *   reason_required: boolean, needs_approval: boolean, who_agrees: string, room: string, limit_reached: string}} Team
 *   lifetimes in seconds; `room` and `limit_reached` are sentences about its limits, or empty
 * @typedef {{id: string, name: string, role: string, obstacle: string, teams: Team[]}} Account
 * @typedef {{id: string, name: string, obstacle: string, room: string, way_out: string}} Workspace  `way_out` is an address, or empty
 * @typedef {{workspace: Workspace, accounts: Account[]}} Details
 * @typedef {{workspace?: string, service_account?: string, team?: string}} Wish  ids, and a team's slug
 */

import { enhance } from "./combobox.js";
import { ask, persist } from "./server.js";

/** What the Grafana roles may do in their workspace. */
const ROLES = new Map([
  ["ADMIN", "can change everything in the workspace: users, data sources, permissions."],
  ["EDITOR", "can change dashboards and alerts."],
  ["VIEWER", "can read dashboards."],
]);

const NOT_GRANTED = "None of your teams has a grant for it: choose another, or ask a team lead or an admin of this portal.";
const LOADING = "Loading its service accounts…";
const BROKEN = "The portal can’t be reached: its service accounts come as soon as it can be.";
const SIGNED_OUT = "You have been signed out. Sign in again in another tab, then choose the workspace once more.";
const NOT_LOADED = "Its service accounts could not be loaded. Choose the workspace once more, or reload the page.";

/**
 * Wire the three selects of the form.
 * @param {HTMLFormElement} form
 * @param {(chosen: {workspace?: Workspace, account?: Account, team?: Team}) => void} onChange
 * @returns {(wish: Wish) => Promise<void>} chooses what is named, as far as it is offered, once that is known
 */
export function wireChoices(form, onChange) {
  const workspaces = /** @type {HTMLSelectElement} */ (form.elements.namedItem("workspace"));
  const accounts = /** @type {HTMLSelectElement} */ (form.elements.namedItem("service_account"));
  const teams = /** @type {HTMLSelectElement} */ (form.elements.namedItem("team"));
  const teamField = /** @type {HTMLElement} */ (form.querySelector("[data-team-field]"));
  const workspaceNote = /** @type {HTMLElement} */ (form.querySelector("[data-workspace-note]"));
  const wayOut = /** @type {HTMLElement} */ (form.querySelector("[data-way-out]"));
  const roomNote = /** @type {HTMLElement} */ (form.querySelector("[data-room-note]"));
  const accountNote = /** @type {HTMLElement} */ (form.querySelector("[data-account-note]"));

  const given = JSON.parse(document.getElementById("chosen-workspace")?.textContent ?? "null");
  /** @type {Map<string, Details>} */
  const known = new Map(given ? [[given.workspace.id, given]] : []);
  const refreshes = [enhance(workspaces), enhance(accounts)];
  let loading = new AbortController();
  /** What stands in place of the accounts of the chosen workspace while they are not known. */
  let trouble = "";
  /** For which workspace accounts are offered. */
  let offeredFor = known.has(workspaces.value) ? workspaces.value : "";

  const details = () => known.get(workspaces.value);
  const chosenAccount = () => details()?.accounts.find((one) => one.id === accounts.value);

  function chosenTeam() {
    const among = chosenAccount()?.teams ?? [];
    return among.length === 1 ? among[0] : among.find((one) => one.slug === teams.value);
  }

  /** @param {string} [wanted]  the id of the account to choose, if it is offered */
  function offerAccounts(wanted = "") {
    const offered = details()?.accounts ?? [];
    const usable = offered.filter((one) => !one.obstacle);
    const prompt = !workspaces.value ? "Choose a workspace first" : details() ? "Choose a service account…" : trouble || LOADING;
    accounts.replaceChildren(new Option(prompt, ""), ...offered.map(accountOption));
    accounts.setAttribute("aria-busy", String(trouble === LOADING));
    if (wanted && !offered.some((one) => one.id === wanted)) {
      const isRefused = details() || trouble === NOT_GRANTED;
      const option = new Option(isRefused ? `${wanted} (not granted to you)` : wanted, wanted);
      option.toggleAttribute("data-not-granted", Boolean(isRefused));
      accounts.add(option);
    }
    if (wanted) accounts.value = wanted; // what somebody has chosen is not lost, even where it is not offered
    else if (usable.length === 1) accounts.value = usable[0].id;
    offeredFor = workspaces.value;
  }

  /** @param {string} [asked]  the slug of the team to choose, if it is offered */
  function offerTeams(asked = "") {
    const among = chosenAccount()?.teams ?? [];
    const wanted = asked || teams.value || teams.dataset.chosen || "";
    const several = among.length > 1;
    teamField.hidden = !several;
    teams.disabled = !several; // a disabled select is not sent
    if (!several) return;
    teams.replaceChildren(new Option("Choose a team…", ""), ...among.map((one) => new Option(one.name, one.slug)));
    if (among.some((one) => one.slug === wanted)) teams.value = wanted;
  }

  function tell() {
    const workspace = details()?.workspace;
    const account = chosenAccount();
    // What the portal has refused it for stands there already, once.
    const isSaid = Boolean(workspaces.closest(".field")?.querySelector(".errorlist"));
    workspaceNote.textContent = isSaid ? "" : workspace ? workspace.obstacle || workspace.room : trouble;
    workspaceNote.classList.toggle("wrong", !isSaid && Boolean(workspace?.obstacle || trouble === NOT_GRANTED));
    wayOut.hidden = !workspace?.way_out;
    if (workspace?.way_out) /** @type {HTMLAnchorElement} */ (wayOut.firstElementChild).href = workspace.way_out;
    if (!isSaid) {
      if (workspace?.obstacle) workspaces.setAttribute("aria-invalid", "true");
      else workspaces.removeAttribute("aria-invalid");
    }
    accountNote.replaceChildren(workspace && !account && accounts.value ? NOT_GRANTED : "");
    if (account) accountNote.append(roleBadge(account.role), ` ${account.obstacle || (ROLES.get(account.role) ?? "")}`);
    const team = chosenTeam();
    roomNote.textContent = team ? team.limit_reached || team.room : "";
    roomNote.classList.toggle("wrong", Boolean(team?.limit_reached));
    for (const refresh of refreshes) refresh();
    onChange({ workspace, account, team });
  }

  /**
   * Offer the accounts of the chosen workspace, as soon as they are known.
   * @param {Wish} [wish]
   */
  async function offer(wish = {}) {
    const id = workspaces.value;
    loading.abort();
    loading = new AbortController();
    const isRefused = workspaces.selectedOptions[0]?.hasAttribute("data-not-granted");
    trouble = !id || known.has(id) ? "" : isRefused ? NOT_GRANTED : LOADING;
    offerAccounts(wish.service_account);
    offerTeams(wish.team);
    tell();
    if (trouble !== LOADING) return;
    try {
      await load(id, loading.signal);
    } catch (error) {
      if (/** @type {Error} */ (error).name === "AbortError") return; // another one was chosen meanwhile
      trouble = NOT_LOADED;
    }
    offerAccounts(wish.service_account);
    offerTeams(wish.team);
    tell();
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async function load(id, signal) {
    const url = `${form.dataset.accountsUrl}?${new URLSearchParams({ workspace: id })}`;
    const answer = await persist(() => ask(url, { signal }), (isBroken) => {
      if (signal.aborted || isBroken === (trouble === BROKEN)) return;
      trouble = isBroken ? BROKEN : LOADING;
      tell();
    });
    signal.throwIfAborted();
    if (answer.status === 200) known.set(id, /** @type {Details} */ (answer.body));
    trouble = { 200: "", 401: SIGNED_OUT, 404: NOT_GRANTED }[answer.status] ?? NOT_LOADED;
  }

  /** The browser puts earlier values back when somebody returns to the page. */
  function catchUp() {
    if (workspaces.value !== offeredFor) offer({ service_account: accounts.value });
  }

  workspaces.addEventListener("change", () => offer());
  accounts.addEventListener("change", () => { offerTeams(); tell(); });
  teams.addEventListener("change", tell);
  window.addEventListener("pageshow", catchUp);

  // Keep what the server has selected, even where it does not offer it.
  if (details() || !workspaces.value) {
    if (!accounts.value) offerAccounts();
    if (teamField.hidden) offerTeams();
    tell();
  } else catchUp();

  return async function choose(wish) {
    const id = wish.workspace ?? "";
    if (![...workspaces.options].some((one) => one.value === id)) workspaces.add(new Option(id, id)); // a long list is cut
    workspaces.value = id;
    await offer(wish);
    const option = workspaces.selectedOptions[0];
    const name = known.get(id)?.workspace.name;
    if (name && option.label === id) option.label = `${name} · ${id}`;
    for (const refresh of refreshes) refresh();
  };
}

/** @param {Account} account */
function accountOption(account) {
  const reason = account.obstacle ? ` — ${account.obstacle}` : "";
  const option = new Option(`${account.name} · ${account.role}${reason}`, account.id);
  option.disabled = Boolean(account.obstacle);
  return option;
}

/** @param {string} role */
export function roleBadge(role) {
  const badge = document.createElement("span");
  badge.className = `badge role role-${role.toLowerCase()}`;
  badge.textContent = role;
  return badge;
}
