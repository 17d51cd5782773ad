/** The studies' results as a part of a Markdown document. */
import { alignedTable, type Marks } from '../../markdown';
import type { StudyResult } from './study';

export const STUDY_MARKS: Marks = {
  begin: '<!-- studies:begin (npx depthgrad table writes what is between these two marks) -->',
  end: '<!-- studies:end -->',
};

/** Three digits of what has a fraction; whole numbers whole. */
export function shortNumber(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return Math.abs(value) >= 100 ? value.toFixed(1) : String(Number(value.toPrecision(3)));
}

function section({ study, question, rows, claims, machine }: StudyResult): string {
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const table = alignedTable(
    [study, ...columns],
    rows.map(({ variant, description, figures }) => [
      description ? `${variant}: ${description}` : variant,
      ...columns.map((column) =>
        figures[column] === undefined || figures[column] === null ? '–' : shortNumber(figures[column]),
      ),
    ]),
  );
  const verdicts = claims.map(
    ({ text, holds, figures }) => `- ${holds ? 'Holds' : '**Does not hold**'}: ${text} (${figures}).`,
  );
  const made = `\`npx depthgrad study ${study}\`, ${machine.processor ?? 'unknown processor'}, depthgrad ${machine.depthgrad ?? 'unknown'}.`;
  return [
    `### ${study}`,
    '',
    `${question} ${made}`,
    '',
    ...table,
    ...(verdicts.length > 0 ? ['', ...verdicts] : []),
  ].join('\n');
}

export function resultSections(results: readonly StudyResult[]): string {
  return `${results.map(section).join('\n\n')}\n`;
}
