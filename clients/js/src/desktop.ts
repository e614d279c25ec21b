import type { Notification as Row } from './notification.js'
import type { Toast } from './toasts.js'

/** What the browser says of notifications outside of the page. */
export type Permission = 'unsupported' | 'default' | 'denied' | 'granted'

export function permission(): Permission {
  return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission
}

/** Notifications that the browser shows outside of the page. */
export class Desktop {
  private readonly shown = new Map<string, { toast: Toast; notification: Notification }>()

  constructor(private readonly open: (row: Row) => void) {}

  /** Shows a toast of the page outside of it. Both texts are plain. */
  async show(toast: Toast): Promise<void> {
    if (permission() !== 'granted') return
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
      this.shown.set(toast.id, { toast, notification: shown })
    } catch {
      // Chrome on Android shows them through a service worker alone.
      const worker = await navigator.serviceWorker?.getRegistration()
      await worker?.showNotification(toast.title, options).catch(() => {})
    }
  }

  /** Closes those of which no notification is of interest any more. */
  forget(keep: (row: Row) => boolean): void {
    for (const { toast, notification } of this.shown.values()) {
      if (!toast.notifications.some(keep)) notification.close()
    }
  }

  close(id?: string): void {
    for (const [key, { notification }] of this.shown) {
      if (id === undefined || id === key) notification.close()
    }
  }
}
