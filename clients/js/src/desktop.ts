import type { Notification as Row } from './notification.js'
import type { Toast } from './toasts.js'
import { closeBy, pushed, showBy } from './worker.js'

/** What the browser says of notifications outside of the page. */
export type Permission = 'unsupported' | 'default' | 'denied' | 'granted'

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission
}

/** Notifications that the browser shows outside of the page. */
export class Desktop {
  private readonly shown = new Map<string, { rows: readonly Row[]; close: () => void }>()

  constructor(private readonly open: (row: Row) => void) {}

  /** Shows a toast of the page outside of it. Both texts are plain. */
  async show(toast: Toast): Promise<void> {
    if (permission() !== 'granted') return
    const worker = await pushed()
    if (worker) return this.showPushed(worker, toast.notifications)
    for (const id of toast.replaces) this.close(id)
    const [row] = toast.notifications
    const options = { body: toast.message, tag: `belfry-${toast.id}` }
    try {
      const shown = new Notification(toast.title, options)
      shown.onclick = () => {
        globalThis.focus?.()
        shown.close()
        if (row && toast.notifications.length === 1) this.open(row)
      }
      shown.onclose = () => this.shown.delete(toast.id)
      this.shown.set(toast.id, { rows: toast.notifications, close: () => shown.close() })
    } catch {
      // Chrome on Android shows them through a service worker alone.
      const worker = await navigator.serviceWorker?.getRegistration()
      await worker?.showNotification(toast.title, options).catch(() => {})
    }
  }

  /** Shows what Web Push brings too, one by one, so that either takes the other's place. */
  private async showPushed(worker: ServiceWorkerRegistration, rows: readonly Row[]): Promise<void> {
    for (const row of rows) {
      const { id, title, message, action_url } = row
      if (this.shown.has(id)) continue
      const close = () => {
        this.shown.delete(id)
        closeBy(worker, id)
      }
      this.shown.set(id, { rows: [row], close })
      await showBy(worker, { id, title, body: message, url: action_url })
    }
  }

  /** Closes those of which no notification is of interest any more. */
  forget(keep: (row: Row) => boolean): void {
    for (const { rows, close } of this.shown.values()) if (!rows.some(keep)) close()
  }

  close(id?: string): void {
    for (const [key, { close }] of this.shown) if (id === undefined || id === key) close()
  }
}
