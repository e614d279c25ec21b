import type { Change, Notification } from '../src/notification.js'

export interface Event {
  name: string
  data: Record<string, unknown>
}

/** A model of the server for one user: the API of notifications, in memory. */
export class Server {
  rows = new Map<string, Notification>()
  version = 0
  gone: { id: string; version: number }[] = []
  /** Called with each event, and the socket that is not to hear it. */
  onEvent: (event: Event, except: string | null) => void = () => {}
  requests: { method: string; path: string; headers: Headers }[] = []
  /** Answers in place of the model, once each. */
  faults: (Response | Error)[] = []
  private next = 1

  get unread(): number {
    return this.shown().filter(row => row.read_at === null).length
  }

  /** Not dismissed and not archived, newest first. */
  shown(): Notification[] {
    return [...this.rows.values()]
      .filter(row => row.dismissed_at === null && row.archived_at === null)
      .sort((a, b) => (a.id < b.id ? 1 : -1))
  }

  send(content: Partial<Notification> = {}, at = Date.now()): Event {
    const id = `n${String(this.next++).padStart(6, '0')}`
    const row = { ...blank, id, title: `Title ${id}`, ...content, version: ++this.version }
    row.created_at = row.sent_at = new Date(at).toISOString()
    this.rows.set(id, row)
    return this.tell('notification.sent', { ...row })
  }

  change(id: string, change: Change, except: string | null = null): Event | undefined {
    const row = this.rows.get(id)
    if (!row) return undefined
    const now = new Date().toISOString()
    const before = JSON.stringify(row)
    const next = { ...row }
    if (change === 'read') next.read_at ??= now
    if (change === 'unread') next.read_at = null
    if (change === 'dismissed') next.dismissed_at ??= now
    if (change === 'archived') next.archived_at ??= now
    if (JSON.stringify(next) === before) return undefined
    this.rows.set(id, { ...next, version: ++this.version })
    return this.tell('notification.read', { ids: [id], change }, except)
  }

  readAll(except: string | null = null): Event | undefined {
    const unread = this.shown().filter(row => row.read_at === null)
    if (unread.length === 0) return undefined
    // As the server does it: a version for each part.
    unread.forEach((row, index) => {
      if (index % 3 === 0) this.version++
      this.rows.set(row.id, { ...row, read_at: new Date().toISOString(), version: this.version })
    })
    return this.tell('notification.read', { ids: [], change: 'read' }, except)
  }

  remove(id: string): Event | undefined {
    if (!this.rows.delete(id)) return undefined
    this.gone.push({ id, version: ++this.version })
    return this.tell('notification.expired', { ids: [id] })
  }

  readonly fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input), 'http://localhost')
    const headers = new Headers(init.headers)
    const method = init.method ?? 'GET'
    this.requests.push({ method, path: url.pathname + url.search, headers })
    const fault = this.faults.shift()
    if (fault instanceof Error) throw fault
    if (fault) return fault
    const answer = this.answer(method, url, headers)
    return Response.json(answer ?? { error: 'not found', code: 'not_found' }, {
      status: answer ? 200 : 404,
    })
  }

  private answer(method: string, url: URL, headers: Headers): object | undefined {
    const path = url.pathname
    const socket = headers.get('X-Socket-ID')
    if (path === '/api/user') return { id: '7', name: 'Ada', roles: [] }
    if (path === '/sanctum/csrf-cookie') return {}
    if (path === '/api/user/notifications' && method === 'GET') {
      const since = url.searchParams.get('since')
      return since === null ? this.page(url.searchParams) : this.since(Number(since), url)
    }
    if (path === '/api/user/notifications/read-all') {
      this.readAll(socket)
      return this.standing()
    }
    const [, id = '', verb = ''] = /notifications\/([^/]+)\/(\w+)$/.exec(path) ?? []
    if (!this.rows.has(id)) return undefined
    const change = { dismiss: 'dismissed', archive: 'archived' }[verb] ?? verb
    this.change(id, change as Change, socket)
    return { notification: this.rows.get(id), ...this.standing() }
  }

  private page(search: URLSearchParams): object {
    const limit = Number(search.get('limit') ?? 25)
    const cursor = search.get('cursor')
    const all = this.shown().filter(row => cursor === null || row.id < cursor)
    const notifications = all.slice(0, limit)
    const next_cursor = all.length > limit ? notifications.at(-1)?.id : null
    return { notifications, next_cursor, ...this.standing() }
  }

  private since(version: number, url: URL): object {
    const limit = Number(url.searchParams.get('limit'))
    const changed = [...this.rows.values()]
      .filter(row => row.version > version)
      .sort((a, b) => a.version - b.version)
    let end = Math.min(limit, changed.length)
    while (end < changed.length && changed[end]?.version === changed[end - 1]?.version) end++
    const removed = this.gone.filter(gone => gone.version > version).map(({ id }) => id)
    const more = end < changed.length
    return { notifications: changed.slice(0, end), removed, more, ...this.standing() }
  }

  private standing() {
    return { unread_count: this.unread, state_version: this.version }
  }

  private tell(name: string, data: object, except: string | null = null): Event {
    const event = { name, data: { ...data, user_id: '7', ...this.standing() } }
    this.onEvent(event, except)
    return event
  }
}

export const blank: Notification = {
  id: '',
  title: '',
  message: 'A message',
  title_html: '',
  message_html: '',
  type: 'system',
  priority: 'medium',
  importance: 50,
  category: '',
  icon: '',
  color: '',
  action_url: '',
  action_text: '',
  dismissible: true,
  created_at: '',
  sent_at: null,
  expires_at: null,
  read_at: null,
  dismissed_at: null,
  archived_at: null,
  data: {},
  version: 0,
}
