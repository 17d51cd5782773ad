/** The pieces reports are made of: one self-contained HTML page, tables, numbers. */

const STYLE = `
body { font-family: sans-serif; color: #222; max-width: 1440px; margin: 24px auto; padding: 0 16px; }
h1 { margin-bottom: 0; } h2 { border-bottom: 1px solid #ccc; margin-top: 32px; }
table { border-collapse: collapse; } th, td { padding: 3px 12px; text-align: left; border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.curves { display: flex; flex-wrap: wrap; gap: 8px; } figure { margin: 0 0 16px; } img { max-width: 100%; }
pre { background: #f4f4f4; padding: 12px; overflow-x: auto; }
`;

export function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}

/** Four significant digits; a dash for what is no number. */
export function number(value: number | string | null | undefined): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(4))) : '–';
}

/** The first column is text, the others are aligned as numbers. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th>${escape(text)}</th>`).join('');
  const cell = (text: string, index: number): string => `<td${index > 0 ? ' class="number"' : ''}>${escape(text)}</td>`;
  const body = rows.map((row) => `<tr>${row.map(cell).join('')}</tr>`).join('\n');
  return `<table><tr>${head}</tr>\n${body}</table>`;
}

/** A picture inside the page. */
export function pngFigure(title: string, description: string, png: Uint8Array): string {
  const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  return `<figure><figcaption>${escape(title)}</figcaption><img alt="${escape(description)}" src="${source}"></figure>`;
}

/** @param body HTML, after the title */
export function page(heading: string, kind: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>${escape(heading)}: ${escape(kind)}</title><style>${STYLE}</style></head>
<body>
<h1>${escape(heading)}</h1>
${body}
</body>
</html>
`;
}
