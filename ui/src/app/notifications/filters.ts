import type { Notification } from 'belfry-client'

export const statuses = ['all', 'unread', 'read', 'dismissed', 'archived'] as const
export const types = ['system', 'announcement', 'alert', 'reminder'] as const
export const priorities = ['high', 'medium', 'low'] as const

export type Status = (typeof statuses)[number]

/** Which notifications the page lists; "" picks all. */
export interface Filters {
  readonly status: Status
  readonly type: string
  readonly priority: string
  readonly category: string
  /** A text to look for. */
  readonly q: string
}

/** Those of an address; what it misspells counts as not said. */
export function filtersOf(search: URLSearchParams): Filters {
  const one = (name: string, from: readonly string[]) => {
    const value = search.get(name) ?? ''
    return from.includes(value) ? value : ''
  }
  return {
    status: (one('status', statuses) || 'all') as Status,
    type: one('type', types),
    priority: one('priority', priorities),
    category: search.get('category') ?? '',
    q: search.get('q') ?? '',
  }
}

/** The address of filters: only what differs from the plain list. */
export function searchOf(filters: Filters): URLSearchParams {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(filters)) {
    if (value !== '' && !(name === 'status' && value === 'all')) search.set(name, value)
  }
  return search
}

/** Whether something besides the status is picked. */
export function narrowed(filters: Filters): boolean {
  const { type, priority, category, q } = filters
  return [type, priority, category, q].some(value => value !== '')
}

/** Whether a notification belongs to a list. found: the server has found its text. */
export function fits(row: Notification, filters: Filters, found = false): boolean {
  const { type, priority, category, q } = filters
  if (!hasStatus(row, filters.status)) return false
  if (type !== '' && row.type !== type) return false
  if (priority !== '' && row.priority !== priority) return false
  if (category !== '' && row.category !== category) return false
  return found || q === '' || holds(row, q)
}

function hasStatus(row: Notification, status: Status): boolean {
  const { read_at, dismissed_at, archived_at } = row
  if (status === 'archived') return archived_at !== null
  if (archived_at !== null) return false
  if (status === 'dismissed') return dismissed_at !== null
  if (dismissed_at !== null) return false
  return status === 'all' || (status === 'read') === (read_at !== null)
}

function holds(row: Notification, text: string): boolean {
  const wanted = text.toLowerCase()
  return [row.title, row.message, row.category].some(part => part.toLowerCase().includes(wanted))
}

/** When it was sent, as a text whose order is that of time. */
export function sentAt(row: Notification): string {
  return row.sent_at ?? row.created_at
}

/** Newest first. */
export function newestFirst(a: Notification, b: Notification): number {
  const [first, second] = [sentAt(a), sentAt(b)]
  if (first !== second) return first < second ? 1 : -1
  return a.id < b.id ? 1 : -1
}
