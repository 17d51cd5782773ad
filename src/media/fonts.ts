import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const FONT = 'DejaVu Sans';

/**
 * Makes the plot's text readable on machines without fonts, where librsvg draws boxes: fontconfig is pointed at the fonts of
 * the npm package. Call before the first text is drawn. A FONTCONFIG_FILE that is set already stays.
 */
export function provideFonts(): void {
  if (process.env.FONTCONFIG_FILE && existsSync(process.env.FONTCONFIG_FILE)) return;
  const fonts = join(dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const folder = mkdtempSync(join(tmpdir(), 'depthgrad-fonts-'));
  const file = join(folder, 'fonts.conf');
  writeFileSync(
    file,
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${fonts}</dir><cachedir>${folder}</cachedir></fontconfig>
`,
  );
  process.env.FONTCONFIG_FILE = file;
}
