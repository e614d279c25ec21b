import { base } from './base'

/** The server's no, or its silence: an Error whose message can be shown. */
export class Refusal extends Error {
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number
  /** The server's own word for the fault, "" when it gave none. */
  readonly code: string
  /** What is wrong with single fields, by their names. */
  readonly fields: Readonly<Record<string, string>>
  /** Seconds to wait before another try, 0 when the server did not say. */
  readonly retryAfter: number

  constructor(
    status: number,
    message: string,
    more: { code?: string; fields?: Readonly<Record<string, string>>; retryAfter?: number } = {},
  ) {
    super(message)
    this.status = status
    this.code = more.code ?? ''
    this.fields = more.fields ?? {}
    this.retryAfter = more.retryAfter ?? 0
  }
}

/** Posts JSON. Throws a Refusal. */
export function post(path: string, body: object): Promise<Record<string, unknown>> {
  return request('POST', path, body)
}

/** Reads an object as JSON. Throws a Refusal. */
export function get(path: string, signal?: AbortSignal): Promise<Record<string, unknown>> {
  return request('GET', path, undefined, signal === undefined ? {} : { signal })
}

/**
 * Sends a request below the pages' path and reads the object of its answer.
 * Unsafe ones carry the token against forged requests; one that the server no
 * longer takes (419) is fetched anew and the request made once more. Throws a
 * Refusal.
 */
export async function request(
  method: string,
  path: string,
  body?: object,
  more: { signal?: AbortSignal; headers?: Readonly<Record<string, string>> } = {},
): Promise<Record<string, unknown>> {
  const unsafe = method !== 'GET'
  if (unsafe && token() === undefined) await freshToken()
  let response = await send(method, path, body, more)
  if (unsafe && response.status === 419) {
    await freshToken()
    response = await send(method, path, body, more)
  }
  if (!response.ok) throw await refusalOf(response)
  return bodyOf(response)
}

function send(
  method: string,
  path: string,
  body: object | undefined,
  more: { signal?: AbortSignal; headers?: Readonly<Record<string, string>> },
): Promise<Response> {
  const headers: Record<string, string> = { ...more.headers }
  if (method !== 'GET') headers['X-XSRF-TOKEN'] = token() ?? ''
  const init: RequestInit = { method, headers }
  if (more.signal !== undefined) init.signal = more.signal
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json'
    init.body = JSON.stringify(body)
  }
  return ask(path, init)
}

async function freshToken(): Promise<void> {
  const response = await ask('sanctum/csrf-cookie', {})
  if (!response.ok) throw await refusalOf(response)
  if (token() === undefined) {
    throw new Refusal(
      response.status,
      'Signing in needs a cookie, and this browser did not keep it. Allow cookies for this address and try again.',
    )
  }
}

/** Whether the browser holds a token, without which it has no session either. */
export function knowsToken(): boolean {
  return token() !== undefined
}

/** The token as the server put it into its readable cookie. */
function token(): string | undefined {
  const found = document.cookie.split('; ').find(pair => pair.startsWith('XSRF-TOKEN='))
  return found === undefined ? undefined : decodeURIComponent(found.slice('XSRF-TOKEN='.length))
}

/** Sends a request; throws a Refusal only where there is no answer. */
export async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(base + path, {
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      ...init,
      headers: { Accept: 'application/json', ...init.headers },
    })
  } catch (cause) {
    if (init.signal?.aborted) throw cause
    throw new Refusal(0, 'The server does not answer. Try again once it is up.')
  }
}

/** What a refusing answer says. */
export async function refusalOf(response: Response): Promise<Refusal> {
  const body = await bodyOf(response)
  const { error, code, fields } = body
  return new Refusal(
    response.status,
    typeof error === 'string' && error !== ''
      ? sentence(error)
      : `The server answered ${response.status}. Try again, or look into its log.`,
    {
      code: typeof code === 'string' ? code : '',
      fields: isRecord(fields)
        ? Object.fromEntries(
            Object.entries(fields).map(([name, text]) => [name, sentence(String(text))]),
          )
        : {},
      retryAfter: secondsOf(response.headers.get('Retry-After')),
    },
  )
}

/** An error of the server, which begins small and ends open, as a sentence. */
export function sentence(error: string): string {
  const text = error.charAt(0).toUpperCase() + error.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Retry-After comes in seconds or, from some proxies, as a date. */
function secondsOf(header: string | null): number {
  if (header === null) return 0
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 0
}

/** The object of an answer, empty when it holds none. */
export async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json().catch(() => undefined)
  return isRecord(body) ? body : {}
}

/** Whether a value of an answer is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The header that proves a request is this page's own; empty before a session. */
export function ownHeaders(): Record<string, string> {
  const value = token()
  return value === undefined ? {} : { 'X-XSRF-TOKEN': value }
}
