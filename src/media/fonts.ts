import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../paths';

export const FONT = 'DejaVu Sans';

/**
 * Makes the plot's text readable on machines without fonts, where librsvg draws boxes: fontconfig is pointed at the fonts of
 * the npm package. Call before the first text is drawn. A FONTCONFIG_FILE that is set already stays.
 */
export function provideFonts(): void {
  if (process.env.FONTCONFIG_FILE && existsSync(process.env.FONTCONFIG_FILE)) return;
  const fonts = join(dirname(require.resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const folder = join(cacheFolder(), 'fonts');
  const file = join(folder, 'fonts.conf');
  const partial = `${file}.${process.pid}`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    partial,
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>${fonts}</dir><cachedir>${folder}</cachedir></fontconfig>
`,
  );
  renameSync(partial, file);
  process.env.FONTCONFIG_FILE = file;
}
