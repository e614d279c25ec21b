import Pusher, { type Channel } from 'pusher-js'
import { authorize } from './authorize'
import type { Start } from './start'

/** An event as it arrived, its data parsed once as every pusher-js page gets it. */
export interface LiveEvent {
  readonly at: Date
  readonly channel: string
  readonly name: string
  readonly data: unknown
  /** The sender of a client event on a presence channel. */
  readonly userId?: string
}

/** Where the connection stands, in pusher-js's own words. */
export type State =
  | 'initialized'
  | 'connecting'
  | 'connected'
  | 'unavailable'
  | 'disconnected'
  | 'failed'

/** Where one subscription stands. */
export interface Subscription {
  readonly name: string
  readonly state: 'waiting' | 'subscribed' | 'refused'
  /** Why it was refused. */
  readonly reason?: string
  /** How many connections or, on presence channels, people are there. */
  readonly count?: number
}

/** An error of the connection; code is the close code where there is one. */
export interface Fault {
  readonly code?: number
  readonly message: string
}

/** What the page wants to be told. */
export interface Watcher {
  state(state: State): void
  fault(fault: Fault): void
  event(event: LiveEvent): void
  subscriptions(list: readonly Subscription[]): void
}

/** One pusher-js connection to the server that served the page. */
export class Live {
  readonly #pusher: Pusher
  readonly #watcher: Watcher
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(start: Start, watcher: Watcher) {
    this.#watcher = watcher
    const tls = location.protocol === 'https:'
    const port = Number(location.port || (tls ? 443 : 80))
    // The page speaks to the address that it came from: a proxy or a tunnel in
    // between is passed just as it was for the page itself.
    this.#pusher = new Pusher(start.app.key, {
      cluster: '',
      wsHost: location.hostname,
      wsPort: port,
      wssPort: port,
      wsPath: start.pathPrefix,
      forceTLS: tls,
      enabledTransports: ['ws', 'wss'],
      channelAuthorization: {
        customHandler: ({ socketId, channelName }, done) => {
          void authorize(start.app, socketId, channelName, done)
        },
      },
    })
    this.#pusher.connection.bind('state_change', (change: { current: State }) => {
      if (change.current !== 'connected') this.#allWait()
      watcher.state(change.current)
    })
    this.#pusher.connection.bind('error', (error: unknown) => watcher.fault(faultOf(error)))
    this.#pusher.connection.bind('message', (frame: Frame) => this.#message(frame))
    watcher.state(this.#pusher.connection.state as State)
  }

  /** Subscribes; a channel that was refused before is asked for anew. */
  subscribe(name: string): void {
    if (this.#subscriptions.get(name)?.state === 'refused') this.unsubscribe(name)
    if (this.#subscriptions.has(name)) return
    this.#set({ name, state: 'waiting' })
    const channel = this.#pusher.subscribe(name)
    channel.bind('pusher:subscription_succeeded', () => {
      this.#set({ name, state: 'subscribed', ...countOf(channel) })
    })
    for (const change of ['subscription_count', 'member_added', 'member_removed']) {
      channel.bind(`pusher:${change}`, () => {
        this.#set({ name, state: 'subscribed', ...countOf(channel) })
      })
    }
    channel.bind('pusher:subscription_error', (error: { error?: unknown }) => {
      // pusher-js would keep the channel pending for ever.
      channel.subscriptionPending = false
      const reason = typeof error?.error === 'string' ? error.error : 'the server refused it'
      this.#set({ name, state: 'refused', reason })
    })
  }

  /** Unsubscribes and forgets the channel. */
  unsubscribe(name: string): void {
    this.#pusher.channel(name)?.unbind()
    this.#pusher.unsubscribe(name)
    this.#subscriptions.delete(name)
    this.#tell()
  }

  /** Connects again after a refusal that pusher-js does not retry. */
  connect(): void {
    this.#pusher.connect()
  }

  #message(frame: Frame): void {
    if (frame.channel === undefined || !this.#subscriptions.has(frame.channel)) return
    const own = frame.event.startsWith('pusher:') || frame.event.startsWith('pusher_internal:')
    if (own && frame.event !== 'pusher:cache_miss') return
    this.#watcher.event({
      at: new Date(),
      channel: frame.channel,
      name: frame.event,
      data: frame.data,
      ...(frame.user_id === undefined ? {} : { userId: frame.user_id }),
    })
  }

  #allWait(): void {
    for (const name of this.#subscriptions.keys()) {
      this.#subscriptions.set(name, { name, state: 'waiting' })
    }
    this.#tell()
  }

  #set(subscription: Subscription): void {
    this.#subscriptions.set(subscription.name, subscription)
    this.#tell()
  }

  #tell(): void {
    this.#watcher.subscriptions([...this.#subscriptions.values()])
  }
}

interface Frame {
  readonly event: string
  readonly channel?: string
  readonly data?: unknown
  readonly user_id?: string
}

function countOf(channel: Channel): { count?: number } {
  const members = (channel as { members?: { count: number } }).members
  const count: number | null = members?.count ?? channel.subscriptionCount
  return count === null ? {} : { count }
}

function faultOf(error: unknown): Fault {
  const outer = error as { data?: unknown; error?: { data?: unknown } } | null
  const data = (outer?.data ?? outer?.error?.data) as
    | { code?: unknown; message?: unknown }
    | undefined
  return {
    message: typeof data?.message === 'string' ? data.message : '',
    ...(typeof data?.code === 'number' ? { code: data.code } : {}),
  }
}
