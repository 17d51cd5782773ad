/** Who may read: nobody from another machine without the token, and no other web page from this one. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const COOKIE = 'depthgrad_token';

export interface AccessOptions {
  readonly bindAddress: string;
  /** Empty: none on a loopback address, a new one elsewhere. */
  readonly token: string;
  /** Web pages that may read besides the own one: `https://app.foxglove.dev`; `file://` is any of a file, a downloaded one as well as a desktop viewer's. */
  readonly origins?: readonly string[];
}

export class Access {
  /** Undefined where none is needed. */
  readonly token: string | undefined;
  readonly #isLoopback: boolean;
  readonly #origins: readonly string[];

  constructor({ bindAddress, token, origins = [] }: AccessOptions) {
    this.#isLoopback = isLoopback(bindAddress);
    this.#origins = origins;
    this.token = token || (this.#isLoopback ? undefined : randomBytes(18).toString('base64url'));
  }

  /** Why a request is refused: 401 a token is missing, 403 it comes from elsewhere; undefined where it is welcome. */
  refusal(request: IncomingMessage): 401 | 403 | undefined {
    // A page of another name that resolves to 127.0.0.1 (DNS rebinding) gives its own name as the host.
    if (this.#isLoopback && !isLoopback(hostname(request.headers.host))) return 403;
    if (!this.#isWelcomeOrigin(request)) return 403;
    if (this.token !== undefined && !this.hasToken(request)) return 401;
    return undefined;
  }

  hasToken(request: IncomingMessage): boolean {
    const cookie = cookies(request).get(this.#cookieName(request));
    return this.givesToken(request) || (cookie !== undefined && this.#isDigest(Buffer.from(cookie, 'hex')));
  }

  /** The token is in the URL. */
  givesToken(request: IncomingMessage): boolean {
    return this.#isToken(requestUrl(request)?.searchParams.get('token') ?? undefined);
  }

  /** Set-Cookie, so that the token need not stay in the URL: its digest, since a token may hold what a cookie may not. */
  cookie(request: IncomingMessage): string {
    return `${this.#cookieName(request)}=${digestOf(this.token ?? '').toString('hex')}; HttpOnly; SameSite=Lax; Path=/`;
  }

  /** Cookies know no ports: two dashboards of one machine must not overwrite each other's. */
  #cookieName(request: IncomingMessage): string {
    return `${COOKIE}_${request.socket.localPort}`;
  }

  #isToken(text: string | undefined): boolean {
    return text !== undefined && this.#isDigest(digestOf(text));
  }

  /** Takes as long whatever is given, and wherever it differs. */
  #isDigest(digest: Buffer): boolean {
    if (this.token === undefined) return false;
    const own = digestOf(this.token);
    return digest.length === own.length && timingSafeEqual(digest, own);
  }

  /** Browsers say which page asks; other programs say nothing. */
  #isWelcomeOrigin({ headers: { origin, host } }: IncomingMessage): boolean {
    if (origin === undefined) return true;
    return this.#origins.includes(origin) || origin === `http://${host}` || origin === `https://${host}`;
  }
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** The requested URL; undefined where it is none. Its host is not the request's. */
export function requestUrl({ url = '/' }: IncomingMessage): URL | undefined {
  return URL.canParse(url, 'http://dashboard') ? new URL(url, 'http://dashboard') : undefined;
}

export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** Of a Host header: without port and brackets. */
function hostname(host = ''): string {
  return host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}

function cookies({ headers: { cookie = '' } }: IncomingMessage): Map<string, string> {
  return new Map(
    cookie.split(';').map((pair) => {
      const [name, ...value] = pair.trim().split('=');
      return [name, value.join('=')];
    }),
  );
}
