import type { Connection } from '../connection.js'

/** The texts of the bell and the toasts. Give your own to translate them. */
export interface NotificationLabels {
  /** The bell's name, and that of its panel. */
  heading: string
  /** What the bell's name says of the count. */
  unreadCount: (count: number) => string
  /** Before the title of an unread one, for who hears it. */
  unread: string
  readAll: string
  mute: string
  dismiss: (title: string) => string
  empty: string
  loading: string
  failed: string
  retry: string
  more: string
  /** What a person is told of the connection; "" says nothing. */
  connection: (connection: Connection) => string
  time: (at: Date) => string
  toasts: string
  /** On a toast that has no link of its own, where onOpen is given. */
  open: string
}

const connections: Record<Connection, string> = {
  live: '',
  connecting: '',
  polling: 'Live updates are away. New notifications come with some delay.',
  offline: 'There is no connection. What you see may be old.',
  unauthorized: 'You are not signed in.',
}

export const english: NotificationLabels = {
  heading: 'Notifications',
  unreadCount: count => (count === 0 ? 'none unread' : `${count} unread`),
  unread: 'Unread',
  readAll: 'Mark all as read',
  mute: 'Mute',
  dismiss: title => `Dismiss: ${title}`,
  empty: 'Nothing here yet.',
  loading: 'Loading…',
  failed: 'The notifications could not be loaded.',
  retry: 'Try again',
  more: 'Show more',
  connection: connection => connections[connection],
  time: at => at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' }),
  toasts: 'New notifications',
  open: 'Show',
}
