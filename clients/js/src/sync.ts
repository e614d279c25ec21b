import type { Api, Missed } from './api.js'
import type { Book } from './book.js'
import { isExpired, isUnread, type Notification, sentAt } from './notification.js'
import { Rounds, type RoundsHooks } from './rounds.js'

export interface SyncHooks extends RoundsHooks {
  /** These were missed, oldest first. */
  arrived(notifications: Notification[]): void
  /** Called before the first request of each round. */
  prepare(): Promise<void>
}

/** Pages of changes after which the list is loaded anew instead. */
const maxPages = 10

/**
 * Keeps the book up with the server by requests: the first page, what was missed,
 * and polling while events do not come by themselves.
 */
export class Sync extends Rounds {
  loaded = false
  /** Of the next page; null: all is loaded. */
  cursor: string | null = null

  constructor(
    private readonly api: Api,
    private readonly book: Book,
    private readonly options: { pageSize: number; pollInterval: number },
    private readonly hooks: SyncHooks,
  ) {
    super(api, options.pollInterval, hooks)
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

  protected async round(): Promise<void> {
    await this.hooks.prepare()
    if (this.loaded) await this.catchUp()
    else await this.load()
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
}
