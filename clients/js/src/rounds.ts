import type { HttpStatus } from './connection.js'
import { type Http, RequestFailed } from './http.js'
import { backoff } from './live.js'

/** Waits after a request failed, in milliseconds. */
const firstWait = 2000
const longestWait = 120_000

export interface RoundsHooks {
  /** The status is another. */
  changed(): void
  /** Reports whether events come by themselves. */
  live(): boolean
}

/**
 * Asks the server in rounds, one at a time: when told to, again after a failure
 * with a growing wait, and every some seconds while events do not come by
 * themselves, or now and then though they do.
 */
export abstract class Rounds {
  status: HttpStatus = { kind: 'unknown' }
  loading = false
  /** When a round last succeeded, in milliseconds. */
  doneAt = 0
  /** What the latest request failed with; undefined when it did not. */
  failure: unknown
  private running: Promise<void> | undefined
  private again = false
  private failures = 0
  private retryAfter = 0
  /** How often it was stopped. */
  private lives = 0
  private timer: ReturnType<typeof setTimeout> | undefined
  private stopped = true

  /** Milliseconds between two polls, and between two rounds though events come. */
  constructor(
    private readonly http: Http,
    private readonly pollInterval: number,
    private readonly told: RoundsHooks,
    private readonly liveInterval = Number.POSITIVE_INFINITY,
  ) {}

  /** The requests of one round. */
  protected abstract round(): Promise<void>

  start(): void {
    this.stopped = false
    this.run()
  }

  stop(): void {
    this.stopped = true
    this.lives++
    clearTimeout(this.timer)
    this.http.abort()
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

  /** The server's time, in milliseconds. */
  now(): number {
    return Date.now() + this.http.skew
  }

  /** Runs requests and notes how they fared. */
  protected async attempt(work: () => Promise<void>): Promise<boolean> {
    this.loading = true
    const { lives } = this
    this.told.changed()
    try {
      await work()
      this.status = { kind: 'ok' }
      this.failure = undefined
      this.doneAt = Date.now()
      return true
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      const refused = error instanceof RequestFailed && [401, 403].includes(error.status)
      if (lives !== this.lives) return false
      this.status = { kind: refused ? 'unauthorized' : 'failed', problem }
      this.failure = error
      this.retryAfter = error instanceof RequestFailed ? error.retryAfter : 0
      return false
    } finally {
      this.loading = false
      this.told.changed()
    }
  }

  private async rounds(): Promise<void> {
    do {
      this.again = false
      const { lives } = this
      const done = await this.attempt(() => this.round())
      this.failures = done || lives !== this.lives ? 0 : this.failures + 1
    } while (this.again && this.failures === 0 && !this.stopped)
  }

  private schedule(): void {
    clearTimeout(this.timer)
    if (this.stopped) return
    if (this.failures > 0) {
      const wait = backoff(this.failures - 1, firstWait, longestWait)
      this.timer = setTimeout(() => this.run(), Math.max(wait, this.retryAfter))
    } else {
      const wait = this.told.live() ? this.liveInterval : this.pollInterval
      if (!Number.isFinite(wait)) return
      this.timer = setTimeout(() => this.run(), wait * (0.8 + 0.4 * Math.random()))
    }
  }
}
