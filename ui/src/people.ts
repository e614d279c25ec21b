/** Who is signed in, as GET /api/user tells it. */
export interface User {
  readonly id: string
  readonly name: string
  readonly email: string
  readonly roles: readonly string[]
}

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

/**
 * Tells who is signed in, undefined for nobody. A browser without the token's
 * cookie has no session either, so nothing is asked then. Throws a Refusal.
 */
export async function whoAmI(): Promise<User | undefined> {
  if (token() === undefined) return undefined
  const response = await ask('api/user', {})
  if (response.status === 401) return undefined
  if (!response.ok) throw await refusalOf(response)
  return userOf(await bodyOf(response))
}

/** Signs in. Throws a Refusal. */
export async function signIn(email: string, password: string): Promise<User> {
  return userOf((await post('login', { email, password }))['user'])
}

/** Signs out. Throws a Refusal. */
export async function signOut(): Promise<void> {
  await post('logout', {})
}

/** What the first administrator types at the set-up link. */
export interface FirstAdmin {
  readonly token: string
  readonly name: string
  readonly email: string
  readonly password: string
}

/** Makes the first administrator and signs in as them. Throws a Refusal. */
export async function setUp(admin: FirstAdmin): Promise<User> {
  return userOf((await post('setup', admin))['user'])
}

/**
 * Posts JSON with the token against forged requests. One that the server no
 * longer takes (419) is fetched anew and the request made once more.
 */
async function post(path: string, body: object): Promise<Record<string, unknown>> {
  if (token() === undefined) await freshToken()
  let response = await send(path, body)
  if (response.status === 419) {
    await freshToken()
    response = await send(path, body)
  }
  if (!response.ok) throw await refusalOf(response)
  return bodyOf(response)
}

function send(path: string, body: object): Promise<Response> {
  return ask(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-XSRF-TOKEN': token() ?? '' },
    body: JSON.stringify(body),
  })
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

/** The token as the server put it into its readable cookie. */
function token(): string | undefined {
  const found = document.cookie.split('; ').find(pair => pair.startsWith('XSRF-TOKEN='))
  return found === undefined ? undefined : decodeURIComponent(found.slice('XSRF-TOKEN='.length))
}

async function ask(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, {
      cache: 'no-store',
      credentials: 'same-origin',
      redirect: 'error',
      ...init,
      headers: { Accept: 'application/json', ...init.headers },
    })
  } catch {
    throw new Refusal(0, 'The server does not answer. Try again once it is up.')
  }
}

async function refusalOf(response: Response): Promise<Refusal> {
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
function sentence(error: string): string {
  const text = error.charAt(0).toUpperCase() + error.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}

/** Retry-After comes in seconds or, from some proxies, as a date. */
function secondsOf(header: string | null): number {
  if (header === null) return 0
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : 0
}

async function bodyOf(response: Response): Promise<Record<string, unknown>> {
  const body: unknown = await response.json().catch(() => undefined)
  return isRecord(body) ? body : {}
}

function userOf(value: unknown): User {
  const raw = isRecord(value) ? value : {}
  const text = (name: string) => (typeof raw[name] === 'string' ? raw[name] : '')
  const roles: unknown = raw['roles']
  return {
    id: text('id'),
    name: text('name'),
    email: text('email'),
    roles: Array.isArray(roles) ? roles.filter(role => typeof role === 'string') : [],
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
