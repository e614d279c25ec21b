import type { MouseEvent, ReactNode } from 'react'
import type { NotificationManager } from '../manager.js'
import type { Notification } from '../notification.js'
import type { Toast } from '../toasts.js'
import { english, type NotificationLabels } from './labels.js'
import { opensElsewhere } from './opens.js'
import { useNotifications } from './useNotifications.js'

/**
 * The toasts of what arrived, in a corner with bell.css.
 */
export function NotificationToasts(props: {
  /** Default: that of the NotificationProvider. */
  manager?: NotificationManager
  labels?: Partial<NotificationLabels>
  /** Whether they are read out. Default: false, since the bell does that. */
  announce?: boolean
  /** Called when one is chosen, in place of following its action_url. */
  onOpen?: (notification: Notification) => void
  /** Called when a burst is chosen. */
  onOpenAll?: () => void
}): ReactNode {
  const labels = { ...english, ...props.labels }
  const { toasts, dismissToast, read } = useNotifications(props.manager)

  const choose = (toast: Toast, event: MouseEvent) => {
    const [notification] = toast.notifications
    dismissToast(toast.id)
    if (!notification) return
    if (toast.notifications.length > 1) {
      props.onOpenAll?.()
      return
    }
    read(notification.id)
    if (!props.onOpen || opensElsewhere(event)) return
    event.preventDefault()
    props.onOpen(notification)
  }

  return (
    <section
      className="belfry-toasts"
      aria-label={labels.toasts}
      aria-live={props.announce ? 'polite' : 'off'}
    >
      {toasts.map(toast => {
        const [notification] = toast.notifications
        const single = toast.notifications.length === 1
        const link = single ? notification?.action_url : ''
        const opens = !link && (single ? props.onOpen : props.onOpenAll)
        return (
          <div key={toast.id} className="belfry-toast" data-priority={notification?.priority}>
            <span className="belfry-item-title">{toast.title}</span>
            {toast.message && <span className="belfry-item-message">{toast.message}</span>}
            {link && (
              <a className="belfry-item-action" href={link} onClick={event => choose(toast, event)}>
                {notification?.action_text || link}
              </a>
            )}
            {opens && (
              <button
                className="belfry-item-action"
                type="button"
                onClick={event => choose(toast, event)}
              >
                {labels.open}
              </button>
            )}
            <button
              className="belfry-dismiss"
              type="button"
              aria-label={labels.dismiss(toast.title)}
              onClick={() => dismissToast(toast.id)}
            >
              <span aria-hidden="true">×</span>
            </button>
          </div>
        )
      })}
    </section>
  )
}
