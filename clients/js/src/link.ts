import { type Connected, connect } from './connect.js'
import { type Connection, connectionOf, type HttpStatus } from './connection.js'
import type { Http } from './http.js'
import { Live, type LiveStatus } from './live.js'
import type { ConnectionOptions } from './options.js'

export interface LinkHooks {
  event(name: string, data: unknown): void
  /** The status is another; before: the one that it was. */
  moved(before: LiveStatus): void
  /** The connection stays away: time to poll. */
  impatient(): void
  /** There is a network again, or the page is looked at again. */
  wake(): void
  /** What connection gives may be another. */
  changed(): void
}

/** The live connection of a page to one channel, and how long it has been away. */
export class Link {
  status: LiveStatus = { kind: 'down' }
  private connected: Connected | string | undefined
  private live: Live | undefined
  private patient = true
  private grace: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly options: ConnectionOptions,
    private readonly http: Http,
    private readonly hooks: LinkHooks,
  ) {}

  get socketId(): string | undefined {
    return this.live?.socketId
  }

  start(): void {
    this.patient = true
    globalThis.addEventListener?.('online', this.wake)
    globalThis.addEventListener?.('offline', this.noticed)
    globalThis.document?.addEventListener('visibilitychange', this.wake)
    this.connected = connect(this.options, this.http)
    this.wait()
  }

  /** Subscribes to a channel, in place of the one before. */
  listen(channel: string, events: readonly string[]): void {
    if (typeof this.connected !== 'object') return
    this.live?.stop()
    const { pusher, refusal } = this.connected
    this.live = new Live(pusher, channel, events, {
      event: (name, data) => this.hooks.event(name, data),
      status: status => this.moved(status),
      refreshToken: () => this.http.refreshToken(),
      refusal,
    })
    this.live.start()
  }

  stop(): void {
    clearTimeout(this.grace)
    this.grace = undefined
    globalThis.removeEventListener?.('online', this.wake)
    globalThis.removeEventListener?.('offline', this.noticed)
    globalThis.document?.removeEventListener('visibilitychange', this.wake)
    this.live?.stop()
    this.live = undefined
    if (typeof this.connected === 'object' && this.connected.owned) {
      this.connected.pusher.disconnect()
    }
    this.connected = undefined
    this.status = { kind: 'down' }
  }

  /** Asks for a refused authorization now. */
  retry(): void {
    if (this.status.kind === 'refused') this.live?.retry()
  }

  /** How news comes, and why not better. */
  connection(http: HttpStatus): [Connection, string | null] {
    const without = typeof this.connected === 'string' ? this.connected : undefined
    return connectionOf(this.status, http, without, this.patient)
  }

  private moved(status: LiveStatus): void {
    const before = this.status
    this.status = status
    if (status.kind === 'live') {
      clearTimeout(this.grace)
      this.grace = undefined
      this.patient = true
    } else this.wait()
    this.hooks.moved(before)
  }

  /** Gives the connection a moment before polling begins. */
  private wait(): void {
    const { pollAfter = 3000 } = this.options
    const hopeful = typeof this.connected === 'object' && this.status.kind !== 'refused'
    if (hopeful && this.grace) return
    clearTimeout(this.grace)
    this.grace = setTimeout(
      () => {
        this.patient = false
        this.hooks.changed()
        if (this.status.kind !== 'live') this.hooks.impatient()
      },
      hopeful ? pollAfter : 0,
    )
  }

  private readonly wake = (): void => {
    if (globalThis.document?.visibilityState !== 'hidden') this.hooks.wake()
  }

  private readonly noticed = (): void => this.hooks.changed()
}
