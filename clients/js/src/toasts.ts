import type { Notification } from './notification.js'

/** Something to show for a moment: one notification, or a burst of them. */
export interface Toast {
  readonly id: string
  /** One; or all of a burst, newest first. */
  readonly notifications: readonly Notification[]
  /** A plain text: the notification's title, or "5 new notifications". */
  readonly title: string
  /** A plain text; "" for a burst. */
  readonly message: string
  /** The ids of toasts that this one stands for: take them away. */
  readonly replaces: readonly string[]
}

export interface ToastOptions {
  /** How long one stays, in milliseconds; 0: until it is taken away. Default: 6000. */
  duration: number
  /** The title of a burst. Default: "5 new notifications". */
  burstTitle: (count: number) => string
}

/** This many within burstTime show one by one; more show as one toast. */
const burstSize = 3

/** In milliseconds. */
const burstTime = 2000

/** The toasts on show. */
export class Toasts {
  private list: readonly Toast[] = []
  private timers = new Map<string, ReturnType<typeof setTimeout>>()
  private arrivals: { at: number; notification: Notification }[] = []
  private burst: string | undefined
  private bursts = 0

  constructor(
    private readonly options: ToastOptions,
    private readonly changed: () => void,
  ) {}

  get all(): readonly Toast[] {
    return this.list
  }

  /** Shows these and gives the new toasts, and bursts that grew. */
  add(notifications: readonly Notification[]): Toast[] {
    const now = Date.now()
    const last = this.arrivals.at(-1)?.at ?? 0
    if (this.burst && now - last > burstTime) this.burst = undefined
    if (!this.burst) this.arrivals = this.arrivals.filter(({ at }) => now - at <= burstTime)
    for (const notification of notifications) this.arrivals.push({ at: now, notification })
    if (this.burst || this.arrivals.length > burstSize) return [this.gather()]
    return notifications.map(notification => this.show(single(notification)))
  }

  /** Takes a toast away; without an id: all. */
  dismiss(id?: string): void {
    const ids = id === undefined ? this.list.map(toast => toast.id) : [id]
    const gone = this.list.filter(toast => ids.includes(toast.id)).flatMap(t => t.notifications)
    // What was taken away is no part of a burst.
    this.arrivals = this.arrivals.filter(({ notification }) => !gone.includes(notification))
    if (this.burst && ids.includes(this.burst)) this.burst = undefined
    if (this.drop(ids)) this.changed()
  }

  /** Takes away toasts of which no notification is of interest any more, silently. */
  forget(keep: (notification: Notification) => boolean): void {
    const ids = this.list.filter(toast => !toast.notifications.some(keep)).map(({ id }) => id)
    this.drop(ids)
    // What was read already is no part of a burst.
    this.arrivals = this.arrivals.filter(({ notification }) => keep(notification))
  }

  private gather(): Toast {
    const gathered = this.arrivals.map(({ notification }) => notification).reverse()
    const replaces = gathered.map(({ id }) => id)
    if (!this.burst) this.burst = `burst-${++this.bursts}`
    this.drop([...replaces, this.burst])
    const title = this.options.burstTitle(gathered.length)
    return this.show({ id: this.burst, notifications: gathered, title, message: '', replaces })
  }

  private show(toast: Toast): Toast {
    this.list = [...this.list.filter(({ id }) => id !== toast.id), toast]
    if (this.options.duration > 0) {
      const timer = setTimeout(() => this.dismiss(toast.id), this.options.duration)
      this.timers.set(toast.id, timer)
    }
    this.changed()
    return toast
  }

  private drop(ids: readonly string[]): boolean {
    for (const id of ids) {
      clearTimeout(this.timers.get(id))
      this.timers.delete(id)
    }
    const left = this.list.filter(({ id }) => !ids.includes(id))
    if (left.length === this.list.length) return false
    this.list = left
    return true
  }
}

function single(notification: Notification): Toast {
  const { id, title, message } = notification
  return { id, notifications: [notification], title, message, replaces: [] }
}
