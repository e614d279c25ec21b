import type { Api, Missed } from './api.js'
import type { Book } from './book.js'
import type { HttpStatus } from './connection.js'
import { RequestFailed } from './http.js'
import { backoff } from './live.js'
import { isExpired, isUnread, type Notification, sentAt } from './notification.js'

export interface SyncHooks {
  /** The book or the status is another. */
  changed(): void
  /** These were missed, oldest first. */
  arrived(notifications: Notification[]): void
  /** Reports whether events come by themselves. */
  live(): boolean
  /** Called before the first request of each round. */
  prepare(): Promise<void>
}

/** Pages of changes after which the list is loaded anew instead. */
const maxPages = 10

/** Waits after a request failed, in milliseconds. */
const firstWait = 2000
const longestWait = 120_000

/**
 * Keeps the book up with the server by requests: the first page, what was missed,
 * and polling while events do not come by themselves.
 */
export class Sync {
  status: HttpStatus = { kind: 'unknown' }
  loaded = false
  loading = false
  /** Of the next page; null: all is loaded. */
  cursor: string | null = null
  /** When a round last succeeded, in milliseconds. */
  doneAt = 0
  private running: Promise<void> | undefined
  private again = false
  private failures = 0
  private retryAfter = 0
  /** How often it was stopped. */
  private lives = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private stopped = true

  constructor(
    private readonly api: Api,
    private readonly book: Book,
    private readonly options: { pageSize: number; pollInterval: number },
    private readonly hooks: SyncHooks,
  ) {}

  start(): void {
    this.stopped = false
    this.run()
  }

  stop(): void {
    this.stopped = true
    this.lives++
    clearTimeout(this.timer)
    this.api.abort()
  }

  /** Asks for what is new, now; or once more after what is under way. */
  run(): Promise<void> {
    clearTimeout(this.timer)
    if (this.stopped) return Promise.resolve()
    this.again = this.running !== undefined
    this.running ??= this.rounds().finally(() => {
      this.running = undefined
      this.schedule()
    })
    return this.running
  }

  /** Loads the next page of the list; false when that failed. */
  async loadMore(): Promise<boolean> {
    if (!this.loaded || this.cursor === null || this.loading) return true
    return this.attempt(async () => {
      const { cursor } = this
      if (cursor === null) return
      const page = await this.api.list({ limit: this.options.pageSize, cursor })
      this.book.add(page.notifications)
      this.book.count(page, this.now())
      this.extend(page.notifications, page.next_cursor)
    })
  }

  /** The server's time, in milliseconds. */
  now(): number {
    return Date.now() + this.api.skew
  }

  private async rounds(): Promise<void> {
    do {
      this.again = false
      const { lives } = this
      const done = await this.attempt(async () => {
        await this.hooks.prepare()
        if (this.loaded) await this.catchUp()
        else await this.load()
      })
      this.failures = done || lives !== this.lives ? 0 : this.failures + 1
    } while (this.again && this.failures === 0 && !this.stopped)
  }

  /** Runs requests and notes how they fared. */
  private async attempt(work: () => Promise<void>): Promise<boolean> {
    this.loading = true
    const { lives } = this
    this.hooks.changed()
    try {
      await work()
      this.status = { kind: 'ok' }
      this.doneAt = Date.now()
      return true
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      const refused = error instanceof RequestFailed && [401, 403].includes(error.status)
      if (lives !== this.lives) return false
      this.status = { kind: refused ? 'unauthorized' : 'failed', problem }
      this.retryAfter = error instanceof RequestFailed ? error.retryAfter : 0
      return false
    } finally {
      this.loading = false
      this.hooks.changed()
    }
  }

  private async load(): Promise<void> {
    const page = await this.api.list({ limit: this.options.pageSize })
    const { notifications, next_cursor, state_version } = page
    this.book.add(notifications)
    const last = notifications.at(-1)
    const from = next_cursor !== null && last ? sentAt(last) : -1
    this.book.reconcile(notifications, state_version, from)
    this.book.count(page, this.now())
    this.book.settle(state_version)
    this.extend(notifications, next_cursor)
    this.loaded = true
  }

  private async catchUp(): Promise<void> {
    const from = this.book.complete
    const fresh: Notification[] = []
    let missed: Missed
    for (let version = from, pages = 1; ; pages++) {
      missed = await this.api.since(version)
      const behind = pages === 1 && missed.state_version < from
      if (behind || (missed.more && pages === maxPages)) {
        // Another server, or an older copy of its database; or too much to go through.
        if (behind) this.book.clear()
        this.loaded = false
        return this.load()
      }
      fresh.push(...this.book.add(missed.notifications))
      this.book.remove(missed.removed, missed.state_version)
      const last = missed.notifications.at(-1)
      if (!missed.more || !last) break
      version = last.version
    }
    this.book.count(missed, this.now())
    this.book.settle(missed.state_version)
    const now = this.now()
    const arrived = fresh.filter(
      row => isUnread(row) && !isExpired(row, now) && sentAt(row) >= this.book.floor,
    )
    if (arrived.length > 0) this.hooks.arrived(arrived)
  }

  private extend(rows: readonly Notification[], cursor: string | null): void {
    const last = rows.at(-1)
    this.cursor = cursor
    this.book.floor = cursor !== null && last ? sentAt(last) : 0
  }

  private schedule(): void {
    clearTimeout(this.timer)
    if (this.stopped) return
    if (this.failures > 0) {
      const wait = backoff(this.failures - 1, firstWait, longestWait)
      this.timer = setTimeout(() => this.run(), Math.max(wait, this.retryAfter))
    } else if (!this.hooks.live()) {
      const wait = this.options.pollInterval * (0.8 + 0.4 * Math.random())
      this.timer = setTimeout(() => this.run(), wait)
    }
  }
}
