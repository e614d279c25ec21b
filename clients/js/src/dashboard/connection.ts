import type { Connection } from '../connection.js'
import { Http, RequestFailed } from '../http.js'
import { Link } from '../link.js'
import { type EchoLike, type LiveStatus, pusherOf } from '../live.js'
import type { ConnectionOptions } from '../options.js'
import { Rounds } from '../rounds.js'
import {
  type DashboardInfo,
  type DashboardRange,
  type DashboardStats,
  type DashboardUpdate,
  isNewer,
  readInfo,
  readUpdate,
} from './update.js'

/**
 * What a DashboardConnection is made with. Nothing is required: without a
 * connection (echo, pusher or key) it takes the page's window.Echo, and without
 * that it polls.
 */
export interface DashboardOptions extends ConnectionOptions {
  /** The dashboard's name. Default: default. */
  dashboard?: string | undefined
  /** The range to begin with. Default: this_week. */
  initialRange?: DashboardRange | (string & {}) | undefined
  /** Called with the figures whenever others are shown. */
  onStatsUpdate?: ((stats: DashboardStats, update: DashboardUpdate) => void) | undefined
  /** Called when the live connection is there, and when it is lost. */
  onConnectionChange?: ((connected: boolean, connection: Connection) => void) | undefined
}

/** What a page shows. A new object at each change, and never changed itself. */
export interface DashboardState {
  /** The figures of the range; null: there are none yet. */
  readonly stats: DashboardStats | null
  /** The numbers of the range before this one. */
  readonly previous: DashboardUpdate['previous']
  /** The figures that could not be computed again, and since when. */
  readonly meta: DashboardUpdate['meta']
  /** What the dashboard is made of; null until the server has said so. */
  readonly info: DashboardInfo | null
  /** What the latest change was, as its sender said. */
  readonly reason: string
  /** The range that is shown, or asked for. */
  readonly range: string
  /** When these figures came or were last confirmed, by this computer's clock. */
  readonly lastUpdate: Date | null
  /** Whether changes come by themselves. */
  readonly connected: boolean
  readonly connection: Connection
  /** Whether requests every some seconds stand in for a connection. */
  readonly polling: boolean
  /** Why it is not live, as a sentence; null when it is, or is about to be. */
  readonly problem: string | null
  /** Whether a request for figures is under way. */
  readonly loading: boolean
  /** What the latest request failed with; null when it did not. */
  readonly error: RequestFailed | null
}

interface Shown {
  update: DashboardUpdate
  info: DashboardInfo | undefined
  at: Date
}

/** The longest wait of pages that fetch because of the same event, in milliseconds. */
const jitter = 400

/** How far two clocks are apart at most, in milliseconds. */
const sameClock = 60_000

/**
 * How long between two requests though events come, in milliseconds. A page that
 * is open all day keeps its session by them, and would notice a lost event.
 */
const liveInterval = 600_000

/** After this time a page that is looked at again asks for news, in milliseconds. */
const stale = 60_000

/**
 * Keeps the figures of one dashboard true: by the server's events, and by requests
 * at the start, after each subscription, when the range changes, while no events
 * come, and every ten minutes though they do. It does nothing before start. subscribe and getState fit React's
 * useSyncExternalStore.
 */
export class DashboardConnection {
  /** The dashboard's name. */
  readonly dashboard: string
  private readonly link: Link
  private readonly fetches: Fetches
  private readonly listeners = new Set<() => void>()
  private readonly shown = new Map<string, Shown>()
  private range: string
  private channel: string | undefined
  private known: DashboardInfo | undefined
  private started = false
  private ended = false
  private told = false
  private late: ReturnType<typeof setTimeout> | undefined
  private midnight: ReturnType<typeof setTimeout> | undefined
  private state: DashboardState

  constructor(private readonly options: DashboardOptions = {}) {
    this.dashboard = options.dashboard ?? 'default'
    this.range = options.initialRange ?? 'this_week'
    const http = new Http({
      baseUrl: (options.baseUrl ?? '').replace(/\/+$/, ''),
      fetch: options.fetch,
      token: options.token,
      csrf: options.csrf ?? true,
      socketId: () => undefined,
    })
    this.fetches = new Fetches(http, options.pollInterval ?? 15_000, {
      fetch: () => this.fetch(http),
      changed: () => this.changed(),
      live: () => this.link.status.kind === 'live',
    })
    this.link = new Link({ ...options, echo: options.echo ?? pageEcho(options) }, http, {
      event: (_, data) => this.heard(data),
      moved: before => this.moved(before),
      impatient: () => {
        if (this.shown.size > 0) this.fetches.run()
      },
      wake: () => this.wake(),
      changed: () => this.changed(),
    })
    this.state = this.compute()
  }

  /** Begins: fetches, and listens. It may be called again after destroy. */
  start(): void {
    if (this.started) return
    this.started = true
    this.ended = false
    this.link.start()
    this.fetches.start()
  }

  /** Ends all that start began. The figures stay in the state. */
  destroy(): void {
    if (!this.started) return
    this.started = false
    this.ended = true
    clearTimeout(this.late)
    clearTimeout(this.midnight)
    this.late = this.channel = undefined
    this.fetches.stop()
    this.link.stop()
    this.changed()
  }

  /** The current state. */
  readonly getState = (): DashboardState => this.state

  /** Calls listener after each change of the state. Gives what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** Shows another range: what is known of it at once, then what the server says. */
  readonly setRange = (range: DashboardRange | (string & {})): void => {
    if (range === this.range) return
    this.range = range
    this.watchEnd()
    this.fetches.run()
    this.changed()
  }

  /** Asks for the figures, and for a refused channel, now. */
  readonly refresh = async (): Promise<boolean> => {
    await this.fetches.run()
    this.link.retry()
    return this.fetches.status.kind === 'ok'
  }

  private async fetch(http: Http): Promise<void> {
    clearTimeout(this.late)
    this.late = undefined
    const { range } = this
    const query = new URLSearchParams({ dashboard: this.dashboard, range })
    const raw = await http.ask('GET', `/api/dashboard/current?${query}`)
    const update = readUpdate(raw)
    if (!update?.stats) {
      throw new RequestFailed('the answer holds no figures: is baseUrl right?', 0)
    }
    if (!this.started) return
    const info = readInfo(raw, privateChannel(this.dashboard))
    this.known = { ...info, start: '', end: '' }
    this.take(update, info)
    this.watchEnd()
    if (this.channel === info.channel) return
    this.channel = info.channel
    this.link.listen(info.channel, ['DashboardUpdated'])
  }

  private heard(data: unknown): void {
    const update = readUpdate(data)
    if (!update || update.dashboard !== this.dashboard || !this.started) return
    if (update.stats) this.take(update, undefined)
    if (update.stats && update.range === this.range) return
    // All pages heard the same: they are not to ask all at once.
    this.late ??= setTimeout(() => {
      this.late = undefined
      this.fetches.run()
    }, Math.random() * jitter)
  }

  /** Shows an update, unless a newer one is shown. */
  private take(update: DashboardUpdate, info: DashboardInfo | undefined): void {
    const before = this.shown.get(update.range)
    const newer = !before || isNewer(update, before.update)
    const same = before?.update.id === update.id && before.update.timestamp === update.timestamp
    if (newer || (same && info)) {
      this.shown.set(update.range, { update, info: info ?? before?.info, at: new Date() })
    } else if (info) this.shown.set(update.range, { ...before, info })
    else return
    if (update.range !== this.range) return
    this.changed()
    if (newer && update.stats) this.options.onStatsUpdate?.(update.stats, update)
  }

  private moved(before: LiveStatus): void {
    if (this.link.status.kind === 'live' && before.kind !== 'live') this.fetches.run()
    this.changed()
  }

  private wake(): void {
    const idle = this.link.status.kind !== 'live' || Date.now() - this.fetches.doneAt > stale
    if (idle) this.refresh()
  }

  /** Fetches once the range is over: "today" is another day after midnight. */
  private watchEnd(): void {
    clearTimeout(this.midnight)
    if (!this.started) return
    const end = Date.parse(this.shown.get(this.range)?.info?.end ?? '')
    const wait = end - this.fetches.now()
    // What was over long ago does not end again, but clocks differ.
    if (!(wait > -sameClock)) return
    this.midnight = setTimeout(
      () => {
        if (this.fetches.now() >= end) this.fetches.run()
        else this.watchEnd()
      },
      Math.min(Math.max(wait, wait > 0 ? 500 : 5000) + Math.random() * jitter, 2 ** 31 - 1),
    )
  }

  private changed(): void {
    this.state = this.compute()
    for (const listener of [...this.listeners]) listener()
    const { connected, connection } = this.state
    if (connected === this.told) return
    this.told = connected
    this.options.onConnectionChange?.(connected, connection)
  }

  private compute(): DashboardState {
    const shown = this.shown.get(this.range)
    const [connection, problem] = this.ended
      ? (['offline', 'it was ended'] as const)
      : this.link.connection(this.fetches.status)
    const { failure, loading } = this.fetches
    return {
      stats: shown?.update.stats ?? null,
      previous: shown?.update.previous ?? {},
      meta: shown?.update.meta ?? {},
      info: shown?.info ?? this.known ?? null,
      reason: shown?.update.reason ?? '',
      range: this.range,
      lastUpdate: shown?.at ?? null,
      connected: connection === 'live',
      connection,
      polling: connection === 'polling',
      problem,
      loading,
      error: failure === undefined ? null : failed(failure),
    }
  }
}

/** The rounds of a dashboard: one request each. */
class Fetches extends Rounds {
  constructor(
    http: Http,
    pollInterval: number,
    private readonly hooks: { fetch(): Promise<void>; changed(): void; live(): boolean },
  ) {
    super(http, pollInterval, hooks, liveInterval)
  }

  protected round(): Promise<void> {
    return this.hooks.fetch()
  }
}

/** The channel of a dashboard that is not public. */
function privateChannel(dashboard: string): string {
  return dashboard === 'default' ? 'private-dashboard' : `private-dashboard.${dashboard}`
}

/** The Echo of the page, where nothing else is given and it uses pusher-js. */
function pageEcho({ pusher, key }: DashboardOptions): EchoLike | undefined {
  const { Echo } = globalThis as { Echo?: EchoLike }
  if (pusher || key || !Echo?.connector) return undefined
  try {
    pusherOf(Echo)
    return Echo
  } catch {
    return undefined
  }
}

function failed(error: unknown): RequestFailed {
  if (error instanceof RequestFailed) return error
  return new RequestFailed(error instanceof Error ? error.message : String(error), 0)
}
