import { Announcer } from './announcer.js'
import { Api, type Page, type Query } from './api.js'
import { Book, type View } from './book.js'
import type { Permission } from './desktop.js'
import { RequestFailed } from './http.js'
import { Link } from './link.js'
import type { LiveStatus } from './live.js'
import { type Change, isExpired, isUnread, type Notification, readEvent } from './notification.js'
import { isObject } from './object.js'
import type { NotificationOptions } from './options.js'
import type { NotificationState } from './state.js'
import { Sync } from './sync.js'
import { Tabs } from './tabs.js'
import { Title } from './title.js'
import { answer } from './worker.js'

const events = ['notification.sent', 'notification.read', 'notification.expired']

/** How long a change may be late before it is asked for, in milliseconds. */
const gapTime = 2000

/** After this time a page that is looked at again asks for news, in milliseconds. */
const stale = 60_000

/**
 * Receives a user's notifications, keeps list and count true, and tells of what
 * arrives. It does nothing before start. subscribe and getState fit React's
 * useSyncExternalStore. No action throws: it gives false, and the state says what
 * went wrong.
 */
export class NotificationManager {
  private readonly api: Api
  private readonly book = new Book()
  private readonly announcer: Announcer
  private readonly sync: Sync
  private readonly pageTitle = new Title()
  private readonly listeners = new Set<() => void>()
  private readonly link: Link
  private tabs: Tabs | undefined
  private user: string | undefined
  private wasLive = false
  private missed: Notification[] = []
  private error: string | null = null
  private started = false
  private endAnswers = () => {}
  private timers: Record<'gap' | 'expiry', ReturnType<typeof setTimeout> | undefined> = {
    gap: undefined,
    expiry: undefined,
  }
  private state: NotificationState

  constructor(private readonly options: NotificationOptions = {}) {
    this.api = new Api({
      baseUrl: (options.baseUrl ?? '').replace(/\/+$/, ''),
      fetch: options.fetch,
      token: options.token,
      csrf: options.csrf ?? true,
      socketId: () => this.link.socketId,
    })
    this.announcer = new Announcer(
      options,
      () => this.tabs,
      () => this.changed(),
    )
    this.link = new Link(options, this.api, {
      event: (name, data) => this.heard(name, data),
      moved: before => this.moved(before),
      impatient: () => {
        if (this.sync.loaded) this.sync.run()
      },
      wake: () => this.wake(),
      changed: () => this.changed(),
    })
    const { pageSize = 25, pollInterval = 15_000 } = options
    this.sync = new Sync(
      this.api,
      this.book,
      { pageSize, pollInterval },
      {
        changed: () => this.changed(),
        arrived: rows => this.arrived(rows),
        live: () => this.link.status.kind === 'live',
        prepare: () => this.prepare(),
      },
    )
    if (options.userId !== undefined) this.user = String(options.userId)
    this.state = this.compute(this.book.view(0))
  }

  /** The user's id, once it is known. */
  get userId(): string | undefined {
    return this.user
  }

  /** Begins: loads the list, and listens. It may be called again after destroy. */
  start(): void {
    if (this.started) return
    this.started = true
    this.endAnswers = answer(id => this.shows(id))
    this.announcer.start()
    if (this.options.title !== false) this.pageTitle.start()
    this.link.start()
    if (this.user !== undefined) this.listen(this.user)
    this.sync.start()
  }

  /** Ends all that start began: connection, timers, sounds and listeners. */
  destroy(): void {
    if (!this.started) return
    this.started = false
    this.endAnswers()
    for (const timer of Object.values(this.timers)) clearTimeout(timer)
    this.sync.stop()
    this.link.stop()
    this.wasLive = false
    this.announcer.stop()
    this.pageTitle.stop()
    this.tabs?.close()
    this.tabs = undefined
  }

  /** The current state. */
  readonly getState = (): NotificationState => this.state

  /** Calls listener after each change of the state. Gives what ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => {
      this.listeners.delete(listener)
    }
  }

  /** A notification as it is now, also one that list gave. */
  get(id: string): Notification | undefined {
    return this.book.get(id)
  }

  /**
   * All that are known and have not expired, in no order: those of the state,
   * those that list gave, and those that came since, whatever became of them.
   */
  known(): Notification[] {
    return this.book.rows(this.sync.now())
  }

  /** A page of the user's notifications by any filter. Throws a RequestFailed. */
  async list(query: Query = {}): Promise<Page> {
    const page = await this.api.list(query)
    this.book.add(page.notifications)
    this.book.count(page, this.sync.now())
    this.changed()
    return page
  }

  readonly read = (ids: string | readonly string[]) => this.act('read', ids)
  readonly unread = (ids: string | readonly string[]) => this.act('unread', ids)
  readonly dismiss = (ids: string | readonly string[]) => this.act('dismissed', ids)
  readonly archive = (ids: string | readonly string[]) => this.act('archived', ids)

  /** Marks all as read. */
  readonly readAll = (): Promise<boolean> =>
    this.attempt('read', undefined, async () => {
      const standing = await this.api.readAll()
      if (!standing) return
      this.book.mark('read', [], standing.state_version, new Date().toISOString())
      this.book.count(standing, this.sync.now())
      this.book.saw(standing.state_version)
      this.tell('read', [], standing)
    })

  /** Loads the next page of the list. */
  readonly loadMore = (): Promise<boolean> => this.sync.loadMore()

  /** Asks for what is new, and for a refused channel, now. */
  readonly refresh = async (): Promise<boolean> => {
    await this.sync.run()
    this.link.retry()
    return this.sync.status.kind === 'ok'
  }

  /** Forgets what was missed: the page has shown it. */
  readonly clearMissed = (): void => {
    this.missed = []
    this.changed()
  }

  /** Takes a toast away; without an id: all. */
  readonly dismissToast = (id?: string): void => this.announcer.toasts.dismiss(id)

  /** Turns the sound off or on, in all tabs. */
  readonly setMuted = (muted: boolean): void => {
    this.announcer.muted = muted
    this.tabs?.send({ muted })
  }

  /** Turns browser notifications off or on. They need the permission too. */
  readonly setBrowserNotifications = (on: boolean): void => {
    this.announcer.browser = on
  }

  /** Asks for the permission to show browser notifications. Call it from a click. */
  readonly askPermission = async (): Promise<Permission> => {
    if (this.announcer.permission === 'default') await Notification.requestPermission()
    if (this.announcer.permission === 'granted') this.announcer.browser = true
    this.changed()
    return this.announcer.permission
  }

  private async prepare(): Promise<void> {
    if (this.user !== undefined) return
    const user = await this.api.userId()
    if (!this.started) return
    this.user = user
    this.listen(user)
  }

  private listen(user: string): void {
    const channel = this.options.channel?.(user) ?? `private-user.${user}`
    this.tabs = new Tabs(`belfry:${this.options.baseUrl ?? ''}:${channel}`, message => {
      if (!isObject(message)) return
      if (typeof message.muted === 'boolean') this.announcer.muted = message.muted
      else this.heard(String(message.name), message.data)
    })
    this.link.listen(channel, events)
  }

  /** Whether this page shows to somebody what Web Push brings. */
  private async shows(id: string): Promise<boolean> {
    if (!this.book.get(id)) await this.sync.run()
    return document.visibilityState === 'visible' && this.book.get(id) !== undefined
  }

  private heard(name: string, data: unknown): void {
    const event = this.user === undefined ? undefined : readEvent(name, data, this.user)
    if (!event || !this.started) return
    const { standing } = event
    const now = this.sync.now()
    let fresh: Notification[] = []
    if (event.kind === 'sent') {
      fresh = this.book.add([event.row], event.truncated)
    } else if (event.kind === 'read') {
      const at = new Date(now).toISOString()
      this.book.mark(event.change, event.ids, event.standing.state_version, at)
    } else this.book.remove(event.ids, event.standing.state_version)
    if (standing) {
      this.book.count(standing, now)
      if (event.kind !== 'sent' || !event.truncated) this.book.saw(standing.state_version)
    }
    if (event.kind === 'sent' && event.truncated) this.sync.run()
    this.watchGap()
    this.changed()
    this.announcer.announce(fresh.filter(row => isUnread(row) && !isExpired(row, now)))
  }

  /** Asks for a change that is missing between others, unless it is only late. */
  private watchGap(): void {
    if (!this.book.gap || this.timers.gap) return
    this.timers.gap = setTimeout(() => {
      this.timers.gap = undefined
      if (this.book.gap) this.sync.run()
    }, gapTime)
  }

  private arrived(rows: Notification[]): void {
    if (this.wasLive) this.missed = [...rows].reverse().concat(this.missed)
    this.changed()
    this.announcer.announce(rows)
  }

  private moved(before: LiveStatus): void {
    if (this.link.status.kind === 'live') {
      this.sync.run().then(() => {
        if (this.link.status.kind === 'live') this.wasLive = true
      })
    } else if (before.kind === 'live') this.missed = []
    this.changed()
  }

  private act(change: Change, ids: string | readonly string[]): Promise<boolean> {
    const verb = change === 'dismissed' ? 'dismiss' : change === 'archived' ? 'archive' : change
    const list = typeof ids === 'string' ? [ids] : [...ids]
    const one = (id: string) =>
      this.attempt(change, [id], async () => {
        const { row, standing } = await this.api.change(id, verb)
        if (row) this.book.add([row])
        if (!standing) return
        this.book.count(standing, this.sync.now())
        if (row?.version === standing.state_version) this.book.saw(standing.state_version)
        this.tell(change, [id], standing)
      })
    return inTurn(list, one)
  }

  /** Shows a change at once, and takes it back when it fails. */
  private async attempt(
    change: Change,
    ids: readonly string[] | undefined,
    work: () => Promise<void>,
  ): Promise<boolean> {
    const pending = this.book.begin(change, ids, new Date().toISOString())
    this.error = null
    this.changed()
    try {
      await work()
      return true
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404 && ids) {
        this.book.remove(ids, this.book.version)
      }
      this.error = error instanceof Error ? error.message : String(error)
      return false
    } finally {
      this.book.end(pending)
      this.watchGap()
      this.changed()
    }
  }

  /** Tells the other tabs, which may have no connection. */
  private tell(change: Change, ids: string[], standing: object): void {
    this.tabs?.send({ name: 'notification.read', data: { ...standing, ids, change } })
  }

  private wake(): void {
    const idle = this.link.status.kind !== 'live' || Date.now() - this.sync.doneAt > stale
    if (idle) this.refresh()
  }

  private changed(): void {
    const now = this.sync.now()
    const view = this.book.view(now)
    this.announcer.forget(({ id }) => {
      const row = this.book.get(id)
      return row !== undefined && isUnread(row) && !isExpired(row, now)
    })
    this.state = this.compute(view)
    if (this.started) {
      clearTimeout(this.timers.expiry)
      const wait = Math.min(view.nextExpiry - now, 2 ** 31 - 1)
      if (Number.isFinite(view.nextExpiry)) {
        this.timers.expiry = setTimeout(() => this.changed(), wait)
      }
      if (this.options.title !== false) this.pageTitle.show(view.unreadCount)
    }
    for (const listener of this.listeners) listener()
  }

  private compute({ notifications, unreadCount }: View): NotificationState {
    const { announcer, sync, book } = this
    const [connection, problem] = this.link.connection(sync.status)
    return {
      notifications,
      unreadCount,
      stateVersion: book.version,
      connection,
      problem,
      loaded: sync.loaded,
      loading: sync.loading,
      hasMore: sync.cursor !== null,
      error: this.error,
      missed: this.missed,
      toasts: this.options.toasts === false ? [] : announcer.toasts.all,
      muted: announcer.muted,
      browserNotifications: announcer.browser,
      permission: announcer.permission,
    }
  }
}

/** Does one after the other, four at a time; true when all went well. */
async function inTurn(ids: readonly string[], work: (id: string) => Promise<boolean>) {
  const queue = [...ids]
  let well = true
  const lane = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      if (!(await work(id))) well = false
    }
  }
  await Promise.all([lane(), lane(), lane(), lane()])
  return well
}
