import { Http, RequestFailed } from './http.js'
import { type Notification, readNotification, readStanding, type Standing } from './notification.js'

/** Which notifications a page of the list holds. */
export interface Query {
  status?: 'all' | 'unread' | 'read' | 'dismissed' | 'archived'
  type?: string
  priority?: string
  category?: string
  /** A text to look for. */
  q?: string
  /** 1 to 100. Default: 25. */
  limit?: number
  cursor?: string
}

export interface Page extends Standing {
  notifications: Notification[]
  /** For the page after this one; null: there is none. */
  next_cursor: string | null
}

/** What changed since a version. */
export interface Missed extends Standing {
  notifications: Notification[]
  removed: string[]
  more: boolean
}

/** The notification API of the server. */
export class Api extends Http {
  /** A page of the user's list. */
  async list(query: Query = {}): Promise<Page> {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== '') search.set(name, String(value))
    }
    const raw = await this.ask('GET', `/api/user/notifications?${search}`)
    const next = raw.next_cursor
    return { ...rowsOf(raw), next_cursor: typeof next === 'string' && next ? next : null }
  }

  /** What changed after a version, oldest change first. */
  async since(version: number): Promise<Missed> {
    const raw = await this.ask('GET', `/api/user/notifications?since=${version}&limit=100`)
    const removed = Array.isArray(raw.removed) ? raw.removed.map(String) : []
    return { ...rowsOf(raw), removed, more: raw.more === true }
  }

  /** Changes one notification. */
  async change(id: string, action: 'read' | 'unread' | 'dismiss' | 'archive') {
    const raw = await this.ask(
      'POST',
      `/api/user/notifications/${encodeURIComponent(id)}/${action}`,
    )
    return { row: readNotification(raw.notification), standing: readStanding(raw) }
  }

  /** Marks all as read. */
  async readAll(): Promise<Standing | undefined> {
    return readStanding(await this.ask('POST', '/api/user/notifications/read-all'))
  }

  /** The id of who is signed in. */
  async userId(): Promise<string> {
    const { id } = await this.ask('GET', '/api/user')
    if (typeof id !== 'string' && typeof id !== 'number') {
      throw new RequestFailed('GET /api/user did not say who is signed in', 0)
    }
    return String(id)
  }
}

function rowsOf(raw: Record<string, unknown>) {
  const standing = readStanding(raw)
  if (!standing || !Array.isArray(raw.notifications)) {
    throw new RequestFailed('the answer is no list of notifications: is baseUrl right?', 0)
  }
  const notifications = raw.notifications.map(readNotification).filter(row => row !== undefined)
  return { ...standing, notifications }
}
