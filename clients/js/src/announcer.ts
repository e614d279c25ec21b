import { Desktop, type Permission, permission } from './desktop.js'
import type { Notification } from './notification.js'
import type { NotificationOptions } from './options.js'
import { Sound } from './sound.js'
import type { Tabs } from './tabs.js'
import { type Toast, Toasts } from './toasts.js'

/** One sound in this time, in milliseconds, for all tabs. */
const quiet = 2000

/** How long the tabs remember who told of a notification, in milliseconds. */
const memory = 300_000

/** Tells a person of what arrived: toasts, a sound, browser notifications. */
export class Announcer {
  readonly toasts: Toasts
  private readonly desktop: Desktop
  private sound: Sound | undefined
  private readonly kept = new Map<string, string>()

  constructor(
    private readonly options: NotificationOptions,
    private readonly tabs: () => Tabs | undefined,
    private readonly changed: () => void,
  ) {
    const { duration = 6000, burstTitle = defaultBurstTitle } = options.toasts || {}
    this.toasts = new Toasts({ duration, burstTitle }, changed)
    this.desktop = new Desktop(options.onOpen ?? follow)
  }

  get muted(): boolean {
    return this.recall('muted') === '1'
  }

  set muted(muted: boolean) {
    this.keep('muted', muted ? '1' : '0')
  }

  get permission(): Permission {
    return permission()
  }

  /** Whether the browser shows notifications: allowed, and not turned off here. */
  get browser(): boolean {
    return permission() === 'granted' && this.recall('browser') !== '0'
  }

  set browser(on: boolean) {
    this.keep('browser', on ? '1' : '0')
  }

  start(): void {
    const { sound = true } = this.options
    if (sound === true) this.sound ??= new Sound()
  }

  stop(): void {
    this.sound?.close()
    this.sound = undefined
    this.desktop.close()
    this.toasts.dismiss()
  }

  announce(notifications: readonly Notification[]): void {
    if (notifications.length === 0) return
    const toasts = this.toasts.add(notifications)
    for (const toast of toasts) this.options.onToast?.(toast)
    this.ring(notifications).catch(() => {})
    this.showOutside(toasts, notifications).catch(() => {})
  }

  /** Takes away what speaks of notifications that need no telling any more. */
  forget(keep: (notification: Notification) => boolean): void {
    this.toasts.forget(keep)
    this.desktop.forget(keep)
  }

  /** The tab that somebody uses and that can be heard rings for all. */
  private async ring(notifications: readonly Notification[]): Promise<void> {
    const { sound = true } = this.options
    const [first] = notifications
    if (!sound || !first || this.muted) return
    const rank = (this.sound?.ready ? 2 : 0) + (visible() ? 1 : 0)
    const fresh = await this.unclaimed('rang', notifications, rank)
    if (fresh.length === 0 || !(await this.claim('ring', rank, quiet))) return
    if (typeof sound === 'function') sound(first)
    else this.sound?.play()
  }

  /** A page that is looked at needs nothing outside of it, in whichever tab. */
  private async showOutside(
    toasts: readonly Toast[],
    notifications: readonly Notification[],
  ): Promise<void> {
    if (!this.browser) return
    const fresh = await this.unclaimed('shown', notifications, visible() ? 1 : 0)
    if (fresh.length === 0 || visible()) return
    for (const toast of toasts) {
      if (toast.notifications.some(row => fresh.includes(row))) await this.desktop.show(toast)
    }
  }

  private async unclaimed(what: string, rows: readonly Notification[], rank: number) {
    const mine = await Promise.all(rows.map(row => this.claim(`${what}:${row.id}`, rank, memory)))
    return rows.filter((_, index) => mine[index])
  }

  private claim(what: string, rank: number, hold: number): Promise<boolean> {
    return this.tabs()?.claim(what, rank, hold) ?? Promise.resolve(true)
  }

  private recall(name: string): string | null {
    try {
      return this.storage?.getItem(`belfry:${name}`) ?? this.kept.get(name) ?? null
    } catch {
      return this.kept.get(name) ?? null
    }
  }

  private keep(name: string, value: string): void {
    this.kept.set(name, value)
    try {
      this.storage?.setItem(`belfry:${name}`, value)
    } catch {
      // Some browsers forbid it: then it lasts as long as the page.
    }
    this.changed()
  }

  private get storage(): Pick<Storage, 'getItem' | 'setItem'> | undefined {
    return this.options.storage ?? globalThis.localStorage
  }
}

function visible(): boolean {
  return typeof document !== 'undefined' && document.visibilityState === 'visible'
}

function defaultBurstTitle(count: number): string {
  return `${count} new notifications`
}

function follow(notification: Notification): void {
  if (notification.action_url) globalThis.location?.assign(notification.action_url)
}
