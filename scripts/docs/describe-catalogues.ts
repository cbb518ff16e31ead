/** The catalogues of errors, metrics and settings as Markdown tables. */
import { ERRORS } from '../../config/errors.ts';
import { METRICS } from '../../config/metrics.ts';
import { SETTINGS, type Setting } from '../../config/settings.ts';

const GENERATED = 'Written by `node scripts/vello.mjs docs`; change the catalogue, not this file.';

export function describeErrors(): string {
  const rows = Object.entries(ERRORS).map(([code, error]) => [
    `\`${code}\``,
    String(error.status),
    error.retryable ? 'yes' : 'no',
    error.title,
  ]);
  return page('Errors', 'config/errors.ts', 'What clients match is `code`; it never changes its meaning.', [
    ['Code', 'Status', 'Worth repeating', 'Meaning'],
    ...rows,
  ]);
}

export function describeMetrics(): string {
  const rows = Object.entries<{ kind: string; help: string; labels: readonly string[] }>(METRICS).map(
    ([name, metric]) => [
      `\`${name}\``,
      metric.kind,
      metric.labels.map((label) => `\`${label}\``).join(', ') || 'none',
      metric.help,
    ],
  );
  return page('Metrics', 'config/metrics.ts', 'Every process serves them on its admin listener at `/metrics`.', [
    ['Name', 'Kind', 'Labels', 'Meaning'],
    ...rows,
  ]);
}

export function describeSettings(): string {
  const rows = Object.values<Setting<unknown>>(SETTINGS).map((setting) => [
    `\`${setting.variable}\``,
    setting.fallback === undefined ? 'none' : `\`${setting.fallback}\``,
    setting.secret ? `${setting.doc} Never shown.` : setting.doc,
  ]);
  return page('Settings', 'config/settings.ts', 'Environment variables. All problems are reported at once, at start.', [
    ['Variable', 'Default', 'What it decides'],
    ...rows,
  ]);
}

function page(title: string, source: string, introduction: string, table: readonly (readonly string[])[]): string {
  const [head = [], ...rows] = table;
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const lines = [line(head), line(head.map(() => '---')), ...rows.map(line)];
  return `# ${title}\n\n${introduction}\n\nSource: \`${source}\`. ${GENERATED}\n\n${lines.join('\n')}\n`;
}
