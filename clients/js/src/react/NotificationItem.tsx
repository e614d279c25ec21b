import type { MouseEvent, ReactNode } from 'react'
import { isUnread, type Notification } from '../notification.js'
import type { NotificationLabels } from './labels.js'
import { opensElsewhere } from './opens.js'
import { hidden } from './style.js'

/** One row of the bell's list. */
export function NotificationItem(props: {
  notification: Notification
  labels: NotificationLabels
  onOpen: ((notification: Notification) => void) | undefined
  onRead: (id: string) => void
  onDismiss: () => void
}): ReactNode {
  const { notification, labels, onOpen, onRead, onDismiss } = props
  const { id, title, message, priority, type, action_url, action_text } = notification
  const unread = isUnread(notification)
  const sent = notification.sent_at ?? notification.created_at
  const choose = (event: MouseEvent) => {
    onRead(id)
    if (!onOpen || opensElsewhere(event)) return
    event.preventDefault()
    onOpen(notification)
  }
  const content = (
    <>
      {unread && <span style={hidden}>{labels.unread}: </span>}
      <span className="belfry-item-title">{title}</span>
      <span className="belfry-item-message">{message}</span>
      {action_text && <span className="belfry-item-action">{action_text}</span>}
      {sent && (
        <time className="belfry-item-time" dateTime={sent}>
          {labels.time(new Date(sent))}
        </time>
      )}
    </>
  )
  return (
    <li className="belfry-row" data-unread={unread} data-priority={priority} data-type={type}>
      {action_url ? (
        <a className="belfry-item" href={action_url} onClick={choose}>
          {content}
        </a>
      ) : (
        <button className="belfry-item" type="button" onClick={choose}>
          {content}
        </button>
      )}
      {notification.dismissible && (
        <button
          className="belfry-dismiss"
          type="button"
          aria-label={labels.dismiss(title)}
          onClick={onDismiss}
        >
          <span aria-hidden="true">×</span>
        </button>
      )}
    </li>
  )
}
