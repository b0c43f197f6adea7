// Writes the generated tables of docs/reference.md from the built library. With --check: fails where they differ.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { createProgram } from '../dist/cli/program.js';
import { ERROR_TABLE } from '../dist/errors.js';
import { PART_TYPES } from '../dist/chat/part-kinds.js';

const PAGE = fileURLToPath(new URL('../docs/reference.md', import.meta.url));

const escape = (text) => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*', '\\*');
const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function defaultOf({ defaultValue, argChoices }) {
  const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
  if (defaultValue === undefined || defaultValue === true) return choices;
  return `${choices}; default: ${defaultValue}`;
}

function flagTables() {
  const serve = createProgram().commands.find((command) => command.name() === 'serve');
  const visible = serve.options.filter(({ hidden }) => !hidden);
  const groups = [...new Set(visible.map(({ helpGroupHeading }) => helpGroupHeading))];
  const tables = groups.map((group) => {
    const options = visible.filter(({ helpGroupHeading }) => helpGroupHeading === group);
    const rows = options.map((option) => [
      `\`${option.flags}\``,
      escape(option.description) + escape(defaultOf(option)),
    ]);
    return table([group.replace(/:$/, ''), 'Meaning'], rows);
  });
  const ignored = serve.options.filter(({ hidden }) => hidden).map(({ long }) => `\`${long}\``);
  return [...tables, `Accepted without effect: ${ignored.join(', ')}.`].join('\n\n');
}

const errorTable = () =>
  table(
    ['Code', 'Status', 'When'],
    Object.entries(ERROR_TABLE).map(([code, { status, when }]) => [`\`${code}\``, status, when]),
  );

const GENERATED = { flags: flagTables, errors: errorTable };

async function render(page) {
  let text = page;
  for (const [name, make] of Object.entries(GENERATED)) {
    const block = new RegExp(`(<!-- generated: ${name} -->)[^]*?(<!-- end -->)`);
    if (!block.test(text)) throw new Error(`${PAGE} has no block '${name}'`);
    text = text.replace(block, (_, open, close) => `${open}\n\n${make()}\n\n${close}`);
  }
  return format(text, { ...(await resolveConfig(PAGE)), filepath: PAGE });
}

/** Part types that the page's first table does not name, or names though there are none such. */
function partFaults(page) {
  const section = page.slice(page.indexOf('## Content parts'), page.indexOf('Beside the content'));
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, type]) => type));
  const known = new Set(PART_TYPES);
  return [...PART_TYPES.filter((type) => !named.includes(type)), ...named.filter((type) => !known.has(type))];
}

const page = readFileSync(PAGE, 'utf8');
const rendered = await render(page);
const faults = partFaults(page);
if (faults.length > 0) {
  process.stderr.write(`${path.basename(PAGE)}: content parts differ from the code: ${faults.join(', ')}\n`);
  process.exitCode = 1;
} else if (!process.argv.includes('--check')) writeFileSync(PAGE, rendered);
else if (rendered !== page) {
  process.stderr.write(`${path.basename(PAGE)} is not what 'npm run docs' writes.\n`);
  process.exitCode = 1;
}
