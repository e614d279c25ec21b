import type { Connection } from './connection.js'
import type { Permission } from './desktop.js'
import type { Notification } from './notification.js'
import type { Toast } from './toasts.js'

/** What a page shows. A new object at each change, and never changed itself. */
export interface NotificationState {
  /** Neither dismissed, archived nor expired; newest first, as far as loaded. */
  readonly notifications: readonly Notification[]
  /** The server's count, with what this page changed and is not answered yet. */
  readonly unreadCount: number
  readonly stateVersion: number
  readonly connection: Connection
  /** Why it is not live, as a sentence; null when it is, or is about to be. */
  readonly problem: string | null
  /** Whether the first page is there. */
  readonly loaded: boolean
  /** Whether a request for the list is under way. */
  readonly loading: boolean
  /** Whether loadMore would bring more. */
  readonly hasMore: boolean
  /** What went wrong with the latest action, or null. */
  readonly error: string | null
  /** What came while the connection was away, since it was last lost; newest first. */
  readonly missed: readonly Notification[]
  readonly toasts: readonly Toast[]
  readonly muted: boolean
  /** Whether the browser shows notifications outside of the page. */
  readonly browserNotifications: boolean
  readonly permission: Permission
}
