import type { Permission } from './desktop.js'
import type { LiveStatus } from './live.js'
import type { Notification } from './notification.js'
import type { HttpStatus } from './sync.js'
import type { Toast } from './toasts.js'

/**
 * How news comes. live: at once. connecting: soon at once. polling: every some
 * seconds, by requests. offline: not at all. unauthorized: not until somebody
 * signs in.
 */
export type Connection = 'live' | 'connecting' | 'polling' | 'offline' | 'unauthorized'

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

/**
 * How news comes, and why not better. without: why there can be no live
 * connection; patient: it may yet come.
 */
export function connectionOf(
  live: LiveStatus,
  http: HttpStatus,
  without: string | undefined,
  patient: boolean,
): [Connection, string | null] {
  const refused = live.kind === 'refused' ? live.status : undefined
  if (http.kind === 'unauthorized') return ['unauthorized', http.problem]
  if (live.kind === 'live') return ['live', null]
  if (refused === 401) return ['unauthorized', 'nobody is signed in']
  if (http.kind === 'failed') return ['offline', http.problem]
  if (globalThis.navigator?.onLine === false) return ['offline', 'there is no network']
  if (without !== undefined) return ['polling', without]
  if (refused !== undefined) return ['polling', `the channel was refused with ${refused}`]
  return patient ? ['connecting', null] : ['polling', 'the live connection is away']
}
