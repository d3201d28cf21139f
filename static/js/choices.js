/**
 * Workspace → service account → team: what may be chosen, and what follows from the choice.
 *
 * @typedef {{slug: string, name: string, max_ttl: number, default_ttl: number,
 *   reason_required: boolean, needs_approval: boolean, room: string, shortage: string}} Team
 *   lifetimes in seconds; `room` and `shortage` are sentences about its limits, or empty
 * @typedef {{id: string, name: string, role: string, obstacle: string, teams: Team[]}} Account
 * @typedef {{id: string, name: string, obstacle: string, room: string, accounts: Account[]}} Workspace
 */

/** What the Grafana roles may do in their workspace. */
const ROLES = new Map([
  ["ADMIN", "can change everything in the workspace: users, data sources, permissions."],
  ["EDITOR", "can change dashboards and alerts."],
  ["VIEWER", "can read dashboards."],
]);

const NOT_GRANTED = "None of your teams has a grant for it: choose another, or ask a team lead or an admin of this portal.";

/**
 * Wire the three selects of the form.
 * @param {HTMLFormElement} form
 * @param {(chosen: {workspace?: Workspace, account?: Account, team?: Team}) => void} onChange
 */
export function wireChoices(form, onChange) {
  const element = document.getElementById("catalog");
  /** @type {Workspace[]} */
  const catalog = JSON.parse(element?.textContent ?? "[]");
  const workspaces = /** @type {HTMLSelectElement} */ (form.elements.namedItem("workspace"));
  const accounts = /** @type {HTMLSelectElement} */ (form.elements.namedItem("service_account"));
  const teams = /** @type {HTMLSelectElement} */ (form.elements.namedItem("team"));
  const teamField = /** @type {HTMLElement} */ (form.querySelector("[data-team-field]"));
  const workspaceNote = /** @type {HTMLElement} */ (form.querySelector("[data-workspace-note]"));
  const roomNote = /** @type {HTMLElement} */ (form.querySelector("[data-room-note]"));
  const accountNote = /** @type {HTMLElement} */ (form.querySelector("[data-account-note]"));

  const chosenWorkspace = () => catalog.find((one) => one.id === workspaces.value);
  const chosenAccount = () => chosenWorkspace()?.accounts.find((one) => one.id === accounts.value);

  function chosenTeam() {
    const among = chosenAccount()?.teams ?? [];
    return among.length === 1 ? among[0] : among.find((one) => one.slug === teams.value);
  }

  function offerAccounts() {
    const workspace = chosenWorkspace();
    const offered = workspace?.accounts ?? [];
    const usable = offered.filter((one) => !one.obstacle);
    const prompt = workspace ? "Choose a service account…" : "Choose a workspace first";
    accounts.replaceChildren(new Option(prompt, ""), ...offered.map(accountOption));
    if (usable.length === 1) accounts.value = usable[0].id;
  }

  function offerTeams() {
    const among = chosenAccount()?.teams ?? [];
    const wanted = teams.value || teams.dataset.chosen || "";
    const several = among.length > 1;
    teamField.hidden = !several;
    teams.disabled = !several; // a disabled select is not sent
    if (!several) return;
    teams.replaceChildren(new Option("Choose a team…", ""), ...among.map((one) => new Option(one.name, one.slug)));
    if (among.some((one) => one.slug === wanted)) teams.value = wanted;
  }

  function tell() {
    const workspace = chosenWorkspace();
    const account = chosenAccount();
    workspaceNote.textContent = workspace ? workspace.obstacle || workspace.room : workspaces.value && NOT_GRANTED;
    accountNote.replaceChildren(workspace && !account && accounts.value ? NOT_GRANTED : "");
    if (account) accountNote.append(roleBadge(account.role), ` ${account.obstacle || (ROLES.get(account.role) ?? "")}`);
    const team = chosenTeam();
    roomNote.textContent = team ? team.shortage || team.room : "";
    roomNote.classList.toggle("wrong", Boolean(team?.shortage));
    onChange({ workspace, account, team });
  }

  workspaces.addEventListener("change", () => { offerAccounts(); offerTeams(); tell(); });
  accounts.addEventListener("change", () => { offerTeams(); tell(); });
  teams.addEventListener("change", tell);

  const usable = catalog.filter((one) => !one.obstacle);
  if (!workspaces.value && usable.length === 1) workspaces.value = usable[0].id;
  // Keep what the server has selected, even where the catalog does not offer it.
  if (!accounts.value) offerAccounts();
  if (teamField.hidden) offerTeams();
  tell();
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
