import { isObject } from './object.js'

/** A request that was refused or did not get through (status 0). */
export class RequestFailed extends Error {
  override name = 'RequestFailed'
  constructor(
    message: string,
    /** The HTTP status; 0 when there was no answer. */
    readonly status: number,
    /** The machine-readable code of the answer, "" without one. */
    readonly code = '',
    /** When the server wants the next try, in milliseconds; 0: it did not say. */
    readonly retryAfter = 0,
  ) {
    super(message)
  }
}

/** How requests are made. */
export interface HttpOptions {
  baseUrl: string
  fetch: typeof fetch | undefined
  token: string | (() => string | Promise<string>) | undefined
  csrf: boolean
  /** The socket that is not to hear of what this page does. */
  socketId: () => string | undefined
}

/** The longest that a request may take, in milliseconds. */
const patience = 15_000

/** The longest Retry-After that an action waits for, in milliseconds. */
const longestWait = 10_000

/** Requests to the server, with the CSRF token or a bearer token. */
export class Http {
  private aborter = new AbortController()
  /** How far the server's clock is ahead of this one, in milliseconds. */
  skew = 0

  constructor(private readonly options: HttpOptions) {}

  /** Asks for a channel's authorization, once. */
  authorize(endpoint: string, socketId: string, channel: string) {
    const form = new URLSearchParams({ socket_id: socketId, channel_name: channel })
    return this.ask('POST', endpoint, form, 0)
  }

  /** Asks for a fresh CSRF token. */
  async refreshToken(): Promise<void> {
    if (this.options.csrf) await this.send('GET', '/sanctum/csrf-cookie')
  }

  /** Stops what is under way. The next request starts anew. */
  abort(): void {
    this.aborter.abort()
    this.aborter = new AbortController()
  }

  /**
   * Sends a request and reads the object of its answer. A missing CSRF token is
   * fetched and the request sent again; so is one that came too early.
   */
  async ask(
    method: string,
    path: string,
    body?: URLSearchParams | object,
    waits = 2,
  ): Promise<Record<string, unknown>> {
    const unsafe = method !== 'GET' && this.options.csrf && !this.options.token
    if (unsafe && csrfToken() === undefined) await this.refreshToken().catch(() => {})
    for (let renewed = false; ; ) {
      const response = await this.send(method, path, body)
      if (response.ok) {
        const raw: unknown = await response.json().catch(() => undefined)
        return isObject(raw) ? raw : {}
      }
      const failed = await failure(response, `${method} ${path.split('?')[0]}`)
      if (failed.status === 419 && unsafe && !renewed) {
        renewed = true
        await this.refreshToken()
      } else if (failed.status === 429 && waits-- > 0 && failed.retryAfter <= longestWait) {
        await this.sleep(failed.retryAfter || 1000)
      } else throw failed
    }
  }

  private async send(method: string, path: string, body?: URLSearchParams | object) {
    const { baseUrl, token, csrf, socketId } = this.options
    const headers: Record<string, string> = {
      Accept: 'application/json',
      'X-Requested-With': 'XMLHttpRequest',
    }
    if (token) headers.Authorization = `Bearer ${typeof token === 'string' ? token : await token()}`
    if (method !== 'GET') {
      const socket = socketId()
      if (socket) headers['X-Socket-ID'] = socket
      const value = csrf && !token ? csrfToken() : undefined
      if (value) headers['X-XSRF-TOKEN'] = value
    }
    if (body && !(body instanceof URLSearchParams)) headers['Content-Type'] = 'application/json'
    const { signal } = this.aborter
    const limit = new AbortController()
    const stop = () => limit.abort()
    signal.addEventListener('abort', stop)
    const timer = setTimeout(stop, patience)
    try {
      const response = await (this.options.fetch ?? fetch)(
        /^https?:/i.test(path) ? path : baseUrl + path,
        {
          method,
          headers,
          credentials: token ? 'omit' : 'include',
          keepalive: method !== 'GET', // a click may lead away from the page
          signal: limit.signal,
          ...(body && { body: body instanceof URLSearchParams ? body : JSON.stringify(body) }),
        },
      )
      const date = Date.parse(response.headers.get('Date') ?? '')
      // The header tells whole seconds, and the answer took its time.
      if (date) this.skew = Math.abs(date - Date.now()) > 3000 ? date - Date.now() : 0
      return response
    } catch (cause) {
      const why = signal.aborted ? 'stopped' : cause instanceof Error ? cause.message : cause
      throw new RequestFailed(`${method} ${path.split('?')[0]} did not get through: ${why}`, 0)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  private sleep(ms: number): Promise<void> {
    const { signal } = this.aborter
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms)
      signal.addEventListener('abort', () => {
        clearTimeout(timer)
        reject(new RequestFailed('stopped', 0))
      })
    })
  }
}

/** The CSRF token of the cookie, undefined without one. */
export function csrfToken(): string | undefined {
  if (typeof document === 'undefined') return undefined
  const pair = document.cookie.split('; ').find(part => part.startsWith('XSRF-TOKEN='))
  if (!pair) return undefined
  const value = pair.slice('XSRF-TOKEN='.length)
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

async function failure(response: Response, what: string): Promise<RequestFailed> {
  const raw: unknown = await response.json().catch(() => undefined)
  const { error, message, code } = isObject(raw) ? raw : {}
  const said = [error, message].find(text => typeof text === 'string' && text)
  return new RequestFailed(
    said ? String(said) : `${what} was answered with ${response.status}`,
    response.status,
    typeof code === 'string' ? code : '',
    retryAfter(response.headers.get('Retry-After')),
  )
}

function retryAfter(value: string | null): number {
  if (!value) return 0
  const seconds = Number(value)
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now()
  return Math.max(0, ms || 0)
}
