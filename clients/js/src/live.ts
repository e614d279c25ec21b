import { csrfToken, type RequestFailed } from './http.js'

/** What is used of a connection of pusher-js. */
export interface PusherLike {
  connection: {
    state: string
    socket_id?: string
    // biome-ignore lint/suspicious/noExplicitAny: as pusher-js has it
    bind(event: string, callback: (data: any) => void): unknown
    // biome-ignore lint/suspicious/noExplicitAny: as pusher-js has it
    unbind(event: string, callback: (data: any) => void): unknown
  }
  subscribe(channel: string): ChannelLike
  unsubscribe(channel: string): void
  channel(name: string): ChannelLike | undefined
  connect(): void
  disconnect(): void
}

/** What is used of a channel of pusher-js. */
export interface ChannelLike {
  subscribed: boolean
  // biome-ignore lint/suspicious/noExplicitAny: as pusher-js has it
  bind(event: string, callback: (data: any) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: as pusher-js has it
  unbind(event: string, callback: (data: any) => void): unknown
}

/** What is used of Laravel Echo with a Pusher connector. */
export interface EchoLike {
  connector: unknown
}

/** How the live connection is. */
export type LiveStatus =
  | { kind: 'live' | 'connecting' | 'down' }
  /** The channel's authorization was refused. status 0: no answer. */
  | { kind: 'refused'; status: number }

export interface LiveHooks {
  event(name: string, data: unknown): void
  status(status: LiveStatus): void
  /** Fetches a fresh CSRF token. */
  refreshToken(): Promise<void>
  /** What the authorization was last refused with, where that is known. */
  refusal(): RequestFailed | undefined
}

/** Waits after refusals, in milliseconds. */
const firstWait = 5000
const longestWait = 60_000

/**
 * One channel over a Pusher connection. It asks again for an authorization
 * that was refused for a reason that passes, which pusher-js does not.
 */
export class Live {
  private channel: ChannelLike | undefined
  private shared = false
  private refusals = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private readonly listeners: [string, (data: unknown) => void][]

  constructor(
    private readonly pusher: PusherLike,
    private readonly name: string,
    events: readonly string[],
    private readonly hooks: LiveHooks,
  ) {
    this.listeners = [
      ['pusher:subscription_succeeded', () => this.succeeded()],
      ['pusher:subscription_error', error => this.refused(error)],
      ...events.map((event): [string, (data: unknown) => void] => [
        event,
        data => this.hooks.event(event, data),
      ]),
    ]
  }

  get socketId(): string | undefined {
    return this.pusher.connection.socket_id || undefined
  }

  start(): void {
    this.pusher.connection.bind('state_change', this.moved)
    this.shared = this.pusher.channel(this.name) !== undefined
    this.channel = this.pusher.subscribe(this.name)
    for (const [event, listener] of this.listeners) this.channel.bind(event, listener)
    if (this.channel.subscribed) this.succeeded()
    else this.moved()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.pusher.connection.unbind('state_change', this.moved)
    for (const [event, listener] of this.listeners) this.channel?.unbind(event, listener)
    if (!this.shared) this.pusher.unsubscribe(this.name)
    this.channel = undefined
  }

  /** Asks for a refused authorization now. */
  retry(): void {
    clearTimeout(this.timer)
    const { channel, pusher } = this
    if (channel && !channel.subscribed && pusher.connection.state === 'connected') {
      pusher.subscribe(this.name)
    }
  }

  private readonly moved = (): void => {
    const { state } = this.pusher.connection
    clearTimeout(this.timer)
    if (state === 'connected' || state === 'connecting' || state === 'initialized') {
      if (state !== 'connected' || !this.channel?.subscribed) {
        this.hooks.status({ kind: 'connecting' })
      }
    } else this.hooks.status({ kind: 'down' })
  }

  private succeeded(): void {
    clearTimeout(this.timer)
    this.refusals = 0
    this.hooks.status({ kind: 'live' })
  }

  private refused(error: unknown): void {
    const known = this.hooks.refusal()
    const given = (error as { status?: unknown } | undefined)?.status
    const status = typeof given === 'number' ? given : (known?.status ?? 0)
    this.hooks.status({ kind: 'refused', status })
    clearTimeout(this.timer)
    if (status === 403 || status === 404) return // until the next connection
    if (status === 419 && this.refusals++ === 0) {
      this.hooks.refreshToken().then(
        () => {
          renewHeaders(this.pusher)
          this.retry()
        },
        () => this.later(firstWait),
      )
      return
    }
    this.later(Math.max(known?.retryAfter ?? 0, backoff(this.refusals++, firstWait, longestWait)))
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => {
      renewHeaders(this.pusher)
      this.retry()
    }, ms)
  }
}

/** Reports whether Laravel Echo connects by pusher-js, and gives its connection. */
export function pusherOf(echo: EchoLike): PusherLike {
  const pusher = (echo.connector as { pusher?: PusherLike } | undefined)?.pusher
  if (!pusher) {
    throw new Error('this Echo has no Pusher connection: use the broadcaster "pusher" or "reverb"')
  }
  return pusher
}

/** A wait that grows with each try, by up to a fifth longer or shorter. */
export function backoff(tries: number, first: number, longest: number): number {
  return Math.min(longest, first * 2 ** Math.min(tries, 20)) * (0.8 + 0.4 * Math.random())
}

/**
 * Puts the cookie's token in the place of the one that Echo and pusher-js were
 * made with, which is that of the session before.
 */
function renewHeaders(pusher: PusherLike): void {
  const token = csrfToken()
  const { options } = pusher as { options?: Record<string, { headers?: Record<string, string> }> }
  for (const name of ['auth', 'channelAuthorization', 'userAuthentication']) {
    const headers = options?.[name]?.headers
    const old = Object.keys(headers ?? {}).filter(key => /^x-(csrf|xsrf)-token$/i.test(key))
    if (!headers || !token || old.length === 0) continue
    for (const key of old) delete headers[key]
    headers['X-XSRF-TOKEN'] = token
  }
}
