import { vi } from 'vitest'
import { DashboardConnection, type DashboardOptions } from '../src/dashboard/connection.js'
import type { Event } from './server.js'
import { Socket } from './socket.js'

const open: DashboardConnection[] = []

/** A model of the server's dashboard: one figure, computed anew at each change. */
export class Dashboards {
  checkins = 0
  /** Events that were sent. */
  events: Event[] = []
  onEvent: (event: Event) => void = () => {}
  requests: { path: string; range: string; headers: Headers }[] = []
  /** Answers in place of the model, once each. */
  faults: (Response | Error)[] = []
  public = false
  end = '2026-11-23T00:00:00+01:00'
  private next = 1
  private current = new Map<string, Record<string, unknown>>()

  /** A change, told of with the figures of a range. */
  change(range = 'this_week', count = ++this.checkins): Event {
    this.checkins = count
    this.current.clear()
    const event = { name: 'DashboardUpdated', data: this.update(range, `checkin ${count}`) }
    this.events.push(event)
    this.onEvent(event)
    return event
  }

  /** A change that is too large for an event. */
  changeLarge(): Event {
    const { data } = this.change()
    return { name: 'DashboardUpdated', data: { ...data, type: 'stats_changed', stats: null } }
  }

  readonly fetch = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(String(input), 'http://localhost')
    const range = url.searchParams.get('range') ?? ''
    this.requests.push({ path: url.pathname, range, headers: new Headers(init.headers) })
    const fault = this.faults.shift()
    if (fault instanceof Error) throw fault
    if (fault) return fault
    if (url.pathname === '/sanctum/csrf-cookie') return Response.json({})
    return Response.json({
      ...this.update(range, ''),
      title: 'Check-ins',
      timezone: 'Europe/Berlin',
      week_starts: 'monday',
      start: '2026-11-16T00:00:00+01:00',
      end: this.end,
      channel: this.public ? 'dashboard' : 'private-dashboard',
      public: this.public,
      ranges: ['today', 'this_week'],
      figures: [{ name: 'checkins', title: 'Check-ins', kind: 'number', better: 'up' }],
    })
  }

  private update(range: string, reason: string): Record<string, unknown> {
    const known = this.current.get(range)
    if (known) return known
    const timestamp = new Date().toISOString()
    const id = String(this.next++).padStart(8, '0')
    const stats = { checkins: this.checkins, timestamp, range }
    const previous = { checkins: 1 }
    const rest = { reason, range, timestamp, id }
    const made = { type: 'stats_update', dashboard: 'default', stats, previous, meta: {}, ...rest }
    this.current.set(range, made)
    return made
  }
}

/** A page with a dashboard on the model, and a socket unless told otherwise. */
export function board(
  server: Dashboards,
  options: DashboardOptions = {},
  socket: Socket | undefined = new Socket(),
) {
  const before = server.onEvent
  server.onEvent = event => {
    before(event)
    socket?.deliver(event)
  }
  const connection = new DashboardConnection({
    fetch: server.fetch as typeof fetch,
    pusher: socket,
    ...options,
  })
  open.push(connection)
  connection.start()
  return { connection, socket, state: () => connection.getState() }
}

/** A page that is live and shows its figures. */
export async function liveBoard(server: Dashboards, options: DashboardOptions = {}) {
  const socket = new Socket()
  const made = { ...board(server, options, socket), socket }
  made.socket.move('connected')
  await vi.advanceTimersByTimeAsync(0)
  return made
}

export function closeBoards(): void {
  for (const connection of open.splice(0)) connection.destroy()
}
