import { isObject } from './object.js'

/** What a notification is about. */
export type NotificationType = 'system' | 'announcement' | 'alert' | 'reminder'

export type NotificationPriority = 'high' | 'medium' | 'low'

/**
 * A notification as its receiver sees it. All texts are plain: show them as
 * text, never as HTML. Only title_html and message_html are escaped already, for
 * code that inserts HTML. Times are RFC 3339 in UTC.
 */
export interface Notification {
  readonly id: string
  readonly title: string
  readonly message: string
  readonly title_html: string
  readonly message_html: string
  readonly type: NotificationType
  readonly priority: NotificationPriority
  /** 0 to 100. */
  readonly importance: number
  readonly category: string
  readonly icon: string
  /** "#rrggbb" or "". */
  readonly color: string
  /** An http or https address, a path of this host, or "". */
  readonly action_url: string
  readonly action_text: string
  readonly dismissible: boolean
  readonly created_at: string
  readonly sent_at: string | null
  readonly expires_at: string | null
  readonly read_at: string | null
  readonly dismissed_at: string | null
  readonly archived_at: string | null
  readonly data: Readonly<Record<string, unknown>>
  /** The state version at which this row last changed. */
  readonly version: number
}

/** How a receiver's state changed, as events name it. */
export type Change = 'read' | 'unread' | 'dismissed' | 'archived'

/** Where a user stands: each change raises state_version by at least one. */
export interface Standing {
  unread_count: number
  state_version: number
}

/** An event of the user's channel, or the same from an answer. */
export type LiveEvent =
  | { kind: 'sent'; row: Notification; standing: Standing | undefined; truncated: boolean }
  | { kind: 'read'; ids: string[]; change: Change; standing: Standing }
  | { kind: 'expired'; ids: string[]; standing: Standing }

const types: readonly string[] = ['system', 'announcement', 'alert', 'reminder']
const priorities: readonly string[] = ['high', 'medium', 'low']
const changes: readonly string[] = ['read', 'unread', 'dismissed', 'archived']

/** Reads a row that the server sent; undefined when it is none. */
export function readNotification(raw: unknown): Notification | undefined {
  if (!isObject(raw) || (typeof raw.id !== 'string' && typeof raw.id !== 'number')) return undefined
  const text = (name: string) => (typeof raw[name] === 'string' ? (raw[name] as string) : '')
  const time = (name: string) => text(name) || null
  const title = text('title')
  const message = text('message')
  return {
    id: String(raw.id),
    title,
    message,
    title_html: text('title_html') || escapeHTML(title),
    message_html: text('message_html') || escapeHTML(message),
    type: (types.includes(text('type')) ? raw.type : 'system') as NotificationType,
    priority: (priorities.includes(text('priority'))
      ? raw.priority
      : 'medium') as NotificationPriority,
    importance: number(raw.importance) ?? 50,
    category: text('category'),
    icon: text('icon'),
    color: /^#[0-9a-f]{6}$/i.test(text('color')) ? text('color') : '',
    action_url: safeURL(text('action_url')),
    action_text: text('action_text'),
    dismissible: raw.dismissible !== false,
    created_at: text('created_at'),
    sent_at: time('sent_at'),
    expires_at: time('expires_at'),
    read_at: time('read_at'),
    dismissed_at: time('dismissed_at'),
    archived_at: time('archived_at'),
    data: isObject(raw.data) ? raw.data : {},
    version: number(raw.version) ?? number(raw.state_version) ?? 0,
  }
}

/** Reads the counts of an event or an answer; undefined when it has none. */
export function readStanding(raw: unknown): Standing | undefined {
  if (!isObject(raw)) return undefined
  const unread = number(raw.unread_count)
  const version = number(raw.state_version)
  if (unread === undefined || version === undefined) return undefined
  return { unread_count: Math.max(0, unread), state_version: version }
}

/** Reads an event of the channel; undefined for any other, or another user's. */
export function readEvent(name: string, data: unknown, userId: string): LiveEvent | undefined {
  const raw = typeof data === 'string' ? parse(data) : data
  if (!isObject(raw)) return undefined
  if (raw.user_id !== undefined && String(raw.user_id) !== userId) return undefined
  const standing = readStanding(raw)
  if (name === 'notification.sent') {
    const row = readNotification(raw)
    return row && { kind: 'sent', row, standing, truncated: raw.truncated === true }
  }
  if (!standing || !Array.isArray(raw.ids)) return undefined
  const ids = raw.ids.map(String)
  if (name === 'notification.expired') return { kind: 'expired', ids, standing }
  if (name !== 'notification.read' || !changes.includes(raw.change as string)) return undefined
  return { kind: 'read', ids, change: raw.change as Change, standing }
}

/** The address if a link may lead there: http, https, or a path of this host. */
export function safeURL(url: string): string {
  if (/^\/(?![/\\])/.test(url)) return url
  return /^https?:\/\/[^\s]+$/i.test(url) ? url : ''
}

/** When it was sent, in milliseconds. */
export function sentAt(row: Notification): number {
  return Date.parse(row.sent_at ?? row.created_at) || 0
}

/** Reports whether the list shows it: neither dismissed nor archived. */
export function isShown(row: Notification): boolean {
  return row.dismissed_at === null && row.archived_at === null
}

/** Reports whether it counts as unread. */
export function isUnread(row: Notification): boolean {
  return row.read_at === null && isShown(row)
}

/** Reports whether it has expired at a time in milliseconds. */
export function isExpired(row: Notification, now: number): boolean {
  return row.expires_at !== null && Date.parse(row.expires_at) <= now
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHTML(text: string): string {
  return text.replace(/[&<>"']/g, character => entities[character] ?? '')
}
