/** The page's files over HTTP, and whoever asks for a WebSocket beside them. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname, extname, join, normalize, sep } from 'node:path';
import { pipeline } from 'node:stream';
import { packageRoot } from '../../paths';
import { requestUrl, type Access } from './access';
import { HTTP_LIMITS } from './socketServer';

const MIME: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Answers GET and HEAD with the page's files, to whom `access` lets in. Not listening yet. */
export function createPageServer(access: Access): Server {
  const folders = served();
  const policy = contentSecurityPolicy(join(folders.get('/')!, 'index.html'));
  return createServer(HTTP_LIMITS, (request, response) => {
    response.setHeader('Content-Security-Policy', policy);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Referrer-Policy', 'no-referrer'); // the first URL may hold the token
    response.setHeader('Cache-Control', 'no-cache');
    answer(request, response, access, folders);
  });
}

/** URL prefix to folder. three.js comes from its npm package: nothing is fetched from elsewhere. */
function served(): Map<string, string> {
  const three = dirname(require.resolve('three'));
  return new Map([
    ['/vendor/three/addons/', join(three, '..', 'examples', 'jsm')],
    ['/vendor/three/', three],
    ['/', join(packageRoot(), 'web')],
  ]);
}

/** Own scripts and no others; the import map is inline, as browsers want it, and named by its digest. */
function contentSecurityPolicy(page: string): string {
  const importMap = /<script type="importmap">([^]*?)<\/script>/.exec(readFileSync(page, 'utf8'))?.[1] ?? '';
  const digest = createHash('sha256').update(importMap).digest('base64');
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${digest}'`,
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  access: Access,
  folders: ReadonlyMap<string, string>,
): void {
  const end = (status: number, text: string): void => {
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
  };
  const refusal = access.refusal(request);
  if (refusal === 401) return end(401, 'A token is needed: open the URL that dashboard_node wrote to its terminal.');
  if (refusal === 403) return end(403, 'This page is served to its own machine, by the name localhost or 127.0.0.1.');
  if (request.method !== 'GET' && request.method !== 'HEAD') return end(405, 'Only GET and HEAD are answered.');
  const url = requestUrl(request);
  if (access.token !== undefined && access.givesToken(request)) {
    const path = url!.pathname.replace(/^\/+/, '/'); // behind two slashes a browser takes another host's name
    response.writeHead(302, { 'Set-Cookie': access.cookie(request), Location: path }).end();
    return;
  }
  const file = url && fileOf(url.pathname, folders);
  if (!file) return end(404, `There is no ${url?.pathname ?? 'such page'}.`);
  const { path, size } = file;
  response.writeHead(200, { 'Content-Type': MIME[extname(path)], 'Content-Length': size });
  if (request.method === 'HEAD') response.end();
  else pipeline(createReadStream(path), response, () => undefined); // which closes the file, too, when the browser has gone
}

interface PageFile {
  readonly path: string;
  readonly size: number;
}

/** The file a path of the URL stands for, where it is one of those served. */
function fileOf(pathname: string, folders: ReadonlyMap<string, string>): PageFile | undefined {
  const [prefix, folder] = [...folders].find(([start]) => pathname.startsWith(start)) ?? [];
  if (prefix === undefined || folder === undefined) return undefined;
  let name: string;
  try {
    name = decodeURIComponent(pathname.slice(prefix.length)) || 'index.html';
  } catch {
    return undefined;
  }
  const path = normalize(join(folder, name));
  if (name.includes('\0') || !path.startsWith(normalize(folder) + sep) || !(extname(path) in MIME)) return undefined;
  try {
    const found = statSync(path);
    return found.isFile() ? { path, size: found.size } : undefined;
  } catch {
    return undefined; // not only where nothing is there: a name may be too long, or go on behind a file
  }
}
