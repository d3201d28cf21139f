/**
 * Ways to put a key to use. None holds the key: each takes it from the clipboard or another program by standard
 * input, without an echo, and hands it on by standard input or the environment. Nowhere does it stand in an argument,
 * which `ps` shows, in a shell's history, or in a file that others may read.
 *
 * What is quoted is quoted for its language. A shell reads a group in brackets as a whole before it runs it, so that
 * `read` waits for the key and does not take the next line of what was pasted.
 */

/** @param {string} text */
const forShell = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** @param {string} text */
const forPython = (text) => JSON.stringify(text);

/** @param {string} text */
const forTerraform = (text) => JSON.stringify(text).replaceAll("${", () => "$${").replaceAll("%{", "%%{");

/**
 * What AWS, Kubernetes and Vault all take as a name.
 * @param {string} name
 */
const asSlug = (name) =>
  name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-+|-+$/g, "").slice(0, 50).replace(/-$/, "") || "token";

/**
 * Ask for the key in the terminal, or take it from a pipe, and go on with it in `$key`.
 * @param {string[]} lines  of shell, which end in `&&` or go on, but for the last
 */
const withKey = (...lines) =>
  [
    "(",
    "  printf 'Paste the token, then press Enter: ' >&2",
    "  IFS= read -rs key; printf '\\n' >&2",
    ...lines.map((line) => `  ${line}`),
    ")",
    "",
  ].join("\n");

/**
 * The same, with the key on a command's standard input.
 * @param {string[]} command  its lines
 */
const piped = (...command) =>
  withKey(`printf %s "$key" |`, ...command.map((line, index) => `  ${index ? "  " : ""}${line}`));

/**
 * @typedef {{address: string, name: string}} Token  of its workspace, and what the token is called
 *
 * @typedef {object} Snippet
 * @property {string} id
 * @property {string} title
 * @property {(token: Token) => string} text
 * @property {string} [note]  what else one has to know
 * @property {(token: Token) => string} place  where the key lies then; what ends with a space is to be completed
 */

/** @type {Snippet[]} */
export const SNIPPETS = [
  {
    id: "curl",
    title: "curl",
    place: () => "a laptop",
    text: ({ address }) =>
      withKey(
        `printf 'Authorization: Bearer %s\\n' "$key" |`,
        `  curl --fail --silent --show-error --header @- ${forShell(`${address}/api/org`)}`,
      ),
  },
  {
    id: "terraform",
    title: "Terraform",
    place: () => "Terraform ",
    text: ({ address }) =>
      [
        "# Run it in a shell that asks for the token:",
        "#   (printf 'Paste the token, then press Enter: ' >&2; IFS= read -rs TF_VAR_grafana_token; echo;",
        "#    export TF_VAR_grafana_token; terraform plan)",
        'variable "grafana_token" {',
        "  type      = string",
        "  sensitive = true",
        "}",
        "",
        'provider "grafana" {',
        `  url  = ${forTerraform(address)}`,
        "  auth = var.grafana_token",
        "}",
        "",
      ].join("\n"),
  },
  {
    id: "python",
    title: "Python",
    place: () => "a laptop",
    text: ({ address }) =>
      [
        "import os",
        "from getpass import getpass",
        "",
        "import requests",
        "",
        'key = os.environ.get("GRAFANA_TOKEN") or getpass("Paste the token: ")',
        "answer = requests.get(",
        `    ${forPython(`${address}/api/org`)},`,
        '    headers={"Authorization": f"Bearer {key}"},',
        "    timeout=10,",
        ")",
        "answer.raise_for_status()",
        "print(answer.json())",
        "",
      ].join("\n"),
  },
  {
    id: "env",
    title: ".env",
    place: () => "a laptop",
    text: ({ address }) =>
      withKey(
        "umask 077 && touch .env && chmod 600 .env &&",
        `  printf 'GRAFANA_URL=%s\\nGRAFANA_AUTH=%s\\n' ${forShell(address)} "$key" >> .env`,
      ),
    note: "Only you can read the file. Keep it out of version control.",
  },
  {
    id: "github",
    title: "GitHub",
    place: () => "GitHub ",
    text: () => piped("gh secret set GRAFANA_TOKEN"),
    note: "In a clone of the repository whose workflows use it.",
  },
  {
    id: "gitlab",
    title: "GitLab",
    place: () => "GitLab ",
    text: () => piped("glab variable set GRAFANA_TOKEN --masked"),
    note: "In a clone of the project whose pipelines use it.",
  },
  {
    id: "kubernetes",
    title: "Kubernetes",
    place: ({ name }) => `Kubernetes secret grafana-${asSlug(name)}`,
    text: ({ name }) =>
      piped(`kubectl create secret generic ${forShell(`grafana-${asSlug(name)}`)} --from-file=token=/dev/stdin`),
  },
  {
    id: "secrets-manager",
    title: "Secrets Manager",
    place: ({ name }) => `Secrets Manager grafana/${asSlug(name)}`,
    text: ({ name }) =>
      piped(
        `aws secretsmanager create-secret --name ${forShell(`grafana/${asSlug(name)}`)} \\`,
        "--secret-string file:///dev/stdin",
      ),
    note: "For a secret that exists: put-secret-value --secret-id in the place of create-secret --name.",
  },
  {
    id: "ssm",
    title: "Parameter Store",
    place: ({ name }) => `Parameter Store /grafana/${asSlug(name)}`,
    text: ({ name }) =>
      piped(
        `aws ssm put-parameter --name ${forShell(`/grafana/${asSlug(name)}`)} --type SecureString \\`,
        "--overwrite --value file:///dev/stdin",
      ),
  },
  {
    id: "vault",
    title: "Vault",
    place: ({ name }) => `Vault secret/grafana/${asSlug(name)}`,
    text: ({ name }) => piped(`vault kv put -mount=secret ${forShell(`grafana/${asSlug(name)}`)} token=-`),
  },
];

const LAST = "snippet";

/** The snippets, the one that was last copied in this browser first. */
export function snippetsByUse() {
  const last = remembered();
  return [...SNIPPETS].sort((one, other) => Number(other.id === last) - Number(one.id === last));
}

/** @param {string} id  of the snippet that is copied */
export function rememberSnippet(id) {
  try {
    localStorage.setItem(LAST, id);
  } catch {
    // only comfort
  }
}

function remembered() {
  try {
    return localStorage.getItem(LAST);
  } catch {
    return null;
  }
}
