import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { DashboardStats } from '../src/dashboard/core.js'
import { board, closeBoards, Dashboards, liveBoard } from './dashboards.js'
import { settled } from './page.js'
import { Socket } from './socket.js'

let server: Dashboards

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  server = new Dashboards()
})
afterEach(() => {
  closeBoards()
  vi.useRealTimers()
  delete (globalThis as { Echo?: unknown }).Echo
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const fetches = () => server.requests.filter(({ path }) => path === '/api/dashboard/current')

describe('figures', () => {
  test('come at the start, on the channel that the server names', async () => {
    server.checkins = 7
    const { state, socket } = await liveBoard(server)
    expect(state()).toMatchObject({
      stats: { checkins: 7, range: 'this_week' },
      previous: { checkins: 1 },
      info: { title: 'Check-ins', timezone: 'Europe/Berlin', figures: [{ name: 'checkins' }] },
      range: 'this_week',
      connected: true,
      connection: 'live',
      polling: false,
      error: null,
    })
    expect([...socket.channels.keys()]).toEqual(['private-dashboard'])
  })

  test('of a public dashboard come on its public channel', async () => {
    server.public = true
    const { state, socket } = await liveBoard(server)
    expect([...socket.channels.keys()]).toEqual(['dashboard'])
    expect(state().connected).toBe(true)
  })

  test('follow events without a request', async () => {
    const seen: unknown[] = []
    const onStatsUpdate = (stats: DashboardStats) => seen.push(stats.checkins)
    const { state } = await liveBoard(server, { onStatsUpdate })
    const before = fetches().length
    await pass(1000)
    server.change()
    expect(state()).toMatchObject({ stats: { checkins: 1 }, reason: 'checkin 1' })
    expect(state().lastUpdate).toEqual(new Date())
    await pass(1000)
    server.change()
    expect(state().stats?.checkins).toBe(2)
    await pass(1000)
    expect(fetches()).toHaveLength(before)
    expect(seen).toEqual([0, 1, 2])
  })

  test('of another dashboard, or of none, change nothing', async () => {
    const { socket, state } = await liveBoard(server)
    await pass(1000)
    const before = state()
    const { name, data } = new Dashboards().change()
    socket.deliver({ name, data: { ...data, dashboard: 'other' } })
    socket.deliver({ name, data: {} })
    socket.deliver({ name, data: { ...data, stats: 'none' } })
    await pass(1000)
    expect(state()).toBe(before)
  })

  test('that are older than those shown, or the same again, change nothing', async () => {
    const onStatsUpdate = vi.fn()
    const { socket, state } = await liveBoard(server, { onStatsUpdate })
    await pass(10)
    const first = server.change()
    await pass(10)
    server.change()
    onStatsUpdate.mockClear()
    const before = state()
    socket.deliver(first)
    socket.deliver(server.events[1] as typeof first)
    expect(state()).toBe(before)
    expect(onStatsUpdate).not.toHaveBeenCalled()
  })

  test('are those of the last change, however events are shuffled and doubled', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 24 }),
        async (waits, picks) => {
          server = new Dashboards()
          const { socket, state } = await liveBoard(server)
          const heard = vi.spyOn(socket, 'deliver').mockImplementation(() => {})
          for (const wait of waits) {
            await pass(wait + 1)
            server.change()
          }
          heard.mockRestore()
          const { events } = server
          const shuffled = picks.map(pick => events[pick % events.length])
          for (const event of [...shuffled, ...[...events].reverse()]) {
            if (event) socket.deliver(event)
          }
          await pass(1000)
          expect(state().stats?.checkins).toBe(waits.length)
          closeBoards()
        },
      ),
      { numRuns: 40 },
    )
  })

  test('too large for an event are fetched', async () => {
    const { socket, state } = await liveBoard(server)
    await pass(1000)
    server.onEvent = () => {}
    socket.deliver(server.changeLarge())
    expect(state().stats?.checkins).toBe(0)
    await pass(400)
    expect(state().stats?.checkins).toBe(1)
  })

  test('an answer that a newer event overtook is not shown', async () => {
    let answer: (() => void) | undefined
    const slow = async (...args: Parameters<typeof server.fetch>) => {
      const response = await server.fetch(...args)
      if (server.checkins === 1) await new Promise<void>(resolve => (answer = resolve))
      return response
    }
    const { connection, socket, state } = await liveBoard(server, { fetch: slow as typeof fetch })
    server.onEvent = () => {}
    await pass(1000)
    server.change()
    const refreshed = connection.refresh()
    await pass(1000)
    socket.deliver(server.change())
    answer?.()
    expect(await refreshed).toBe(true)
    expect(state()).toMatchObject({ stats: { checkins: 2 }, loading: false })
  })
})

describe('ranges', () => {
  test('another range is fetched, and what is known of it shows at once', async () => {
    const { connection, state } = await liveBoard(server)
    connection.setRange('today')
    expect(state()).toMatchObject({ range: 'today', stats: null, lastUpdate: null, loading: true })
    expect(state().info).toMatchObject({ title: 'Check-ins', end: '' })
    await settled()
    expect(state().stats).toMatchObject({ checkins: 0, range: 'today' })
    connection.setRange('this_week')
    expect(state().stats?.range).toBe('this_week')
  })

  test('an event of another range makes a page fetch its own, a little later', async () => {
    const { state } = await liveBoard(server, { initialRange: 'today' })
    await pass(1000)
    const before = fetches().length
    server.change()
    server.change()
    expect(state().stats).toMatchObject({ checkins: 0, range: 'today' })
    await pass(400)
    expect(state().stats).toMatchObject({ checkins: 2, range: 'today' })
    expect(fetches()).toHaveLength(before + 1)
    expect(fetches().at(-1)?.range).toBe('today')
  })

  test('a range chosen while another is fetched is the one that shows', async () => {
    const { connection, state } = await liveBoard(server)
    connection.setRange('today')
    connection.setRange('last_week')
    connection.setRange('last_month')
    await settled()
    expect(state().stats?.range).toBe('last_month')
    expect(
      fetches()
        .slice(-2)
        .map(({ range }) => range),
    ).toEqual(['today', 'last_month'])
  })

  test('an unknown range says what the server says', async () => {
    const { connection, state } = await liveBoard(server)
    server.faults.push(
      Response.json({ error: 'unknown range "ever"', code: 'unknown_range' }, { status: 400 }),
    )
    connection.setRange('ever')
    await settled()
    expect(state().error).toMatchObject({ status: 400, message: 'unknown range "ever"' })
    expect(state().connected).toBe(true)
  })

  test('a range that ends is fetched again', async () => {
    server.end = '2026-11-20T14:00:00+01:00'
    const { state } = await liveBoard(server, { initialRange: 'today' })
    await pass(59 * 60_000)
    const before = fetches().length
    server.checkins = 3
    server.end = '2026-11-21T14:00:00+01:00'
    await pass(62_000)
    expect(fetches()).toHaveLength(before + 1)
    expect(state().info?.end).toBe(server.end)
  })

  test('a range that still ends in the past, by this clock, is asked for until it moves', async () => {
    server.end = '2026-11-20T13:00:10+01:00'
    const { state } = await liveBoard(server, { initialRange: 'today' })
    await pass(11_000)
    server.end = '2026-11-21T13:00:00+01:00'
    await pass(6000)
    expect(state().info?.end).toBe(server.end)
    const before = fetches().length
    await pass(400_000)
    expect(fetches()).toHaveLength(before)
  })
})

describe('the connection', () => {
  test('what changed while it was away is there when it returns', async () => {
    const told: unknown[] = []
    const onConnectionChange = (connected: boolean, how: string) => told.push([connected, how])
    const { socket, state } = await liveBoard(server, { onConnectionChange })
    socket.move('connecting')
    expect(state()).toMatchObject({ connected: false, connection: 'connecting' })
    server.change()
    await settled()
    expect(state().stats?.checkins).toBe(0)
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ connected: true, stats: { checkins: 1 } })
    expect(told).toEqual([
      [true, 'live'],
      [false, 'connecting'],
      [true, 'live'],
    ])
  })

  test('that stays away is polled for, and says so', async () => {
    const { socket, state } = await liveBoard(server)
    socket.move('unavailable')
    await pass(3000)
    expect(state()).toMatchObject({ polling: true, problem: 'the live connection is away' })
    server.change()
    await pass(18_000)
    expect(state().stats?.checkins).toBe(1)
    const before = fetches().length
    await pass(60_000)
    expect(fetches().length - before).toBeGreaterThanOrEqual(3)
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ polling: false, connected: true, problem: null })
  })

  test('without one it polls at once', async () => {
    const { connection, state } = board(server, { pusher: undefined }, undefined)
    await settled()
    expect(state()).toMatchObject({ polling: true, stats: { checkins: 0 } })
    expect(state().problem).toContain('no connection was given')
    server.change()
    await pass(18_000)
    expect(state().stats?.checkins).toBe(1)
    connection.destroy()
    const before = fetches().length
    await pass(60_000)
    expect(fetches()).toHaveLength(before)
    expect(state()).toMatchObject({ connection: 'offline', stats: { checkins: 1 } })
  })

  test('is that of the page’s Echo when nothing is given', async () => {
    const socket = new Socket()
    const page = globalThis as { Echo?: unknown }
    page.Echo = { connector: { pusher: socket } }
    const { state } = board(server, { pusher: undefined }, undefined)
    socket.move('connected')
    await settled()
    expect(state().connected).toBe(true)
    page.Echo = { connector: { socket: {} } }
    expect(board(server, { pusher: undefined }, undefined).state().connected).toBe(false)
  })

  test('a failed request is tried again, ever later, and figures stay', async () => {
    server.faults.push(...Array.from({ length: 3 }, () => new TypeError('no route')))
    const { connection, state } = board(server)
    await settled()
    expect(state()).toMatchObject({ stats: null, connection: 'offline' })
    expect(state().error?.message).toContain('no route')
    await pass(20_000)
    expect(state()).toMatchObject({ stats: { checkins: 0 }, error: null })
    server.faults.push(Response.json({ error: 'busy' }, { status: 503 }))
    await connection.refresh()
    expect(state()).toMatchObject({ stats: { checkins: 0 }, error: { status: 503 } })
  })

  test('is not trusted for ever: now and then it asks though events come', async () => {
    const { state } = await liveBoard(server)
    const before = fetches().length
    server.checkins = 9
    await pass(479_000)
    expect(fetches()).toHaveLength(before)
    await pass(242_000)
    expect(fetches()).toHaveLength(before + 1)
    expect(state().connected).toBe(true)
  })

  test('nobody signed in: it says so, and goes on once somebody has', async () => {
    server.faults.push(new Response('{}', { status: 401 }))
    const { state, socket } = await liveBoard(server)
    expect(state()).toMatchObject({ connection: 'unauthorized', error: { status: 401 } })
    expect(socket.channels.size).toBe(0)
    await pass(3000)
    expect(state()).toMatchObject({ connected: true, stats: { checkins: 0 } })
  })

  test('an authorization refused for a reason that passes is asked for again', async () => {
    const socket = new Socket()
    socket.refusals = [419, 401]
    const { state } = board(server, {}, socket)
    socket.move('connected')
    await settled()
    expect(server.requests.map(({ path }) => path)).toContain('/sanctum/csrf-cookie')
    await pass(30_000)
    expect(socket.asked).toBe(3)
    expect(state().connected).toBe(true)
  })

  test('an answer that is none says so', async () => {
    server.faults.push(Response.json({ hello: 'there' }))
    const { state } = board(server)
    await settled()
    expect(state().error?.message).toContain('baseUrl')
  })

  test('ends and begins again', async () => {
    const { connection, socket, state } = await liveBoard(server)
    connection.destroy()
    server.change()
    expect(socket.channels.size).toBe(0)
    expect(socket.connection.state).toBe('connected')
    connection.start()
    await settled()
    expect(state()).toMatchObject({ connected: true, stats: { checkins: 1 } })
  })
})
