/** The key in the ways that people use it. Pure text: what is quoted is quoted for its language. */

/** @param {string} text */
const forShell = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** @param {string} text */
const forPython = (text) => JSON.stringify(text);

/** @param {string} text */
const forTerraform = (text) => JSON.stringify(text).replaceAll("${", "$${").replaceAll("%{", "%%{");

/** @param {string} text */
const forEnv = (text) => (/^[\w.:/@%+,-]*$/.test(text) ? text : forShell(text));

/**
 * @typedef {object} Snippet
 * @property {string} id
 * @property {string} title
 * @property {(address: string, key: string) => string} text
 */

/** @type {Snippet[]} */
export const SNIPPETS = [
  {
    id: "curl",
    title: "curl",
    text: (address, key) =>
      `curl -H ${forShell(`Authorization: Bearer ${key}`)} \\\n  ${forShell(`${address}/api/org`)}\n`,
  },
  {
    id: "terraform",
    title: "Terraform",
    text: (address, key) =>
      `provider "grafana" {\n  url  = ${forTerraform(address)}\n  auth = ${forTerraform(key)}\n}\n`,
  },
  {
    id: "python",
    title: "Python",
    text: (address, key) =>
      [
        "import requests",
        "",
        "answer = requests.get(",
        `    ${forPython(`${address}/api/org`)},`,
        `    headers={"Authorization": ${forPython(`Bearer ${key}`)}},`,
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
    text: (address, key) => `GRAFANA_URL=${forEnv(address)}\nGRAFANA_AUTH=${forEnv(key)}\n`,
  },
];
