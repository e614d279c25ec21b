import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { closePages, ids, livePage, page, settled } from './page.js'
import { Server } from './server.js'

let server: Server

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  server = new Server()
  document.title = 'Page'
  // biome-ignore lint/suspicious/noDocumentCookie: that is where it stands
  document.cookie = 'XSRF-TOKEN=old%3D'
})
afterEach(() => {
  closePages()
  vi.useRealTimers()
})

describe('list and count', () => {
  test('begin with the first page, and go on with the next ones', async () => {
    for (let n = 0; n < 60; n++) server.send({}, Date.now() + n)
    const { manager, state } = await livePage(server)
    expect(state()).toMatchObject({ unreadCount: 60, connection: 'live', loaded: true })
    expect(state().notifications).toHaveLength(25)
    expect(state().hasMore).toBe(true)
    await manager.loadMore()
    await manager.loadMore()
    expect(state().notifications).toHaveLength(60)
    expect(state().hasMore).toBe(false)
    expect(ids(state())).toEqual(server.shown().map(({ id }) => id))
  })

  test('are all known that list gave or that came, whatever became of them', async () => {
    for (let n = 0; n < 30; n++) server.send({}, Date.now() + n)
    const { manager } = await livePage(server)
    const known = () => manager.known().length
    expect(known()).toBe(25)
    await manager.list({ limit: 100 })
    expect(known()).toBe(30)
    expect(manager.getState().notifications).toHaveLength(25)
    server.send({ expires_at: new Date(Date.now() + 10_000).toISOString() }, Date.now() + 100)
    await manager.dismiss('n000030')
    expect(known()).toBe(31)
    expect(manager.known().find(({ id }) => id === 'n000030')?.dismissed_at).not.toBeNull()
    await vi.advanceTimersByTimeAsync(10_001)
    expect(known()).toBe(30)
  })

  test('follow events, and tell of each notification once', async () => {
    const { socket, state } = await livePage(server)
    const event = server.send({ title: '<b>Hello</b>' })
    socket.deliver(event)
    expect(state()).toMatchObject({ unreadCount: 1, toasts: [{ title: '<b>Hello</b>' }] })
    expect(state().notifications).toHaveLength(1)
    server.remove('n000001')
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [], toasts: [] })
    socket.deliver(event)
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [], toasts: [] })
  })

  test('another page’s change takes the toast away', async () => {
    const { state } = await livePage(server)
    const other = await livePage(server)
    server.send()
    expect(state().toasts).toHaveLength(1)
    await other.manager.read('n000001')
    expect(state()).toMatchObject({ unreadCount: 0, toasts: [] })
    expect(other.state()).toMatchObject({ unreadCount: 0, toasts: [] })
  })

  test('what was read already is no part of a burst', async () => {
    const { manager, state } = await livePage(server)
    server.send()
    await manager.read('n000001')
    for (let n = 0; n < 3; n++) server.send()
    expect(state().toasts).toHaveLength(3)
    server.send()
    expect(state().toasts.map(({ title }) => title)).toEqual(['4 new notifications'])
  })

  test('an event of another user, or that is none, changes nothing', async () => {
    const { socket, state } = await livePage(server)
    const before = state()
    const { name, data } = new Server().send()
    socket.deliver({ name, data: { ...data, user_id: '8' } })
    socket.deliver({ name, data: { user_id: '7' } })
    socket.deliver({ name: 'notification.read', data: { ...data, ids: 'x' } })
    expect(state()).toEqual(before)
  })

  test('a shortened event is asked for whole', async () => {
    const { socket, state } = await livePage(server)
    server.onEvent = () => {}
    const { name, data } = server.send({ message: 'The whole message' })
    socket.deliver({ name, data: { ...data, message: 'The who', truncated: true } })
    expect(state().notifications[0]?.message).toBe('The who')
    await settled()
    expect(state().notifications[0]?.message).toBe('The whole message')
    expect(state().toasts).toHaveLength(1)
  })

  test('an event that is lost between others is asked for', async () => {
    const { socket, state } = await livePage(server)
    const tell = server.onEvent
    server.onEvent = () => {}
    server.send()
    server.onEvent = tell
    server.send()
    expect(state()).toMatchObject({ unreadCount: 2, stateVersion: 2 })
    expect(ids(state())).toEqual(['n000002'])
    await vi.advanceTimersByTimeAsync(2500)
    expect(ids(state())).toEqual(['n000002', 'n000001'])
    expect(socket.asked).toBe(1)
  })

  test('a time that passes takes what expired', async () => {
    const { state } = await livePage(server)
    server.send({ expires_at: new Date(Date.now() + 5000).toISOString() })
    expect(state().unreadCount).toBe(1)
    await vi.advanceTimersByTimeAsync(5001)
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [], toasts: [] })
  })

  test('the title counts, also when the page changes it', async () => {
    const { manager } = await livePage(server)
    server.send()
    server.send()
    expect(document.title).toBe('(2) Page')
    document.title = 'Other'
    await settled()
    expect(document.title).toBe('(2) Other')
    await manager.readAll()
    expect(document.title).toBe('Other')
    server.send()
    manager.destroy()
    expect(document.title).toBe('Other')
  })

  test('without a user id it asks who is signed in', async () => {
    server.send()
    const { manager, state, socket } = await livePage(server, { userId: undefined })
    expect(manager.userId).toBe('7')
    expect(socket.channel('private-user.7')?.subscribed).toBe(true)
    expect(state()).toMatchObject({ connection: 'live', unreadCount: 1 })
  })
})

describe('actions', () => {
  test('show at once, and say which socket acted', async () => {
    server.send()
    const { manager, socket, state } = await livePage(server)
    const socketId = socket.connection.socket_id
    const done = manager.read('n000001')
    expect(state().unreadCount).toBe(0)
    expect(state().notifications[0]?.read_at).not.toBeNull()
    expect(await done).toBe(true)
    expect(state()).toMatchObject({ unreadCount: 0, stateVersion: 2, error: null })
    expect(server.requests.at(-1)?.headers.get('X-Socket-ID')).toBe(socketId)
    await manager.unread('n000001')
    expect(state().unreadCount).toBe(1)
    await manager.dismiss('n000001')
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [] })
  })

  test('that fail are taken back, and say why', async () => {
    server.send()
    const { manager, state } = await livePage(server)
    server.faults.push(
      Response.json({ error: 'it may not be dismissed', code: 'conflict' }, { status: 409 }),
    )
    const done = manager.dismiss('n000001')
    expect(state().notifications).toHaveLength(0)
    expect(await done).toBe(false)
    expect(state()).toMatchObject({ unreadCount: 1, error: 'it may not be dismissed' })
    expect(state().notifications).toHaveLength(1)
    server.faults.push(new TypeError('fetch failed'))
    expect(await manager.readAll()).toBe(false)
    expect(state().unreadCount).toBe(1)
    expect(state().error).toContain('fetch failed')
  })

  test('on what is gone take it off the list', async () => {
    server.send()
    const { manager, state } = await livePage(server)
    server.rows.clear()
    expect(await manager.read('n000001')).toBe(false)
    expect(state().notifications).toHaveLength(0)
  })

  test('on many go on together', async () => {
    for (let n = 0; n < 10; n++) server.send()
    const { manager, state } = await livePage(server)
    const done = manager.archive(ids(state()))
    expect(await done).toBe(true)
    expect(state()).toMatchObject({ unreadCount: 0, notifications: [] })
    expect(server.shown()).toHaveLength(0)
  })

  test('with an old CSRF token are sent again with a fresh one', async () => {
    server.send()
    const { manager, state } = await livePage(server)
    server.faults.push(new Response('{}', { status: 419 }))
    expect(await manager.read('n000001')).toBe(true)
    const [first, fresh, second] = server.requests.slice(-3)
    expect(first?.headers.get('X-XSRF-TOKEN')).toBe('old=')
    expect(fresh?.path).toBe('/sanctum/csrf-cookie')
    expect(second?.path).toBe(first?.path)
    expect(state().unreadCount).toBe(0)
  })

  test('that came too early are sent again when the server says', async () => {
    server.send()
    const { manager } = await livePage(server)
    server.faults.push(new Response('{}', { status: 429, headers: { 'Retry-After': '3' } }))
    let done: boolean | undefined
    manager.read('n000001').then(result => {
      done = result
    })
    await vi.advanceTimersByTimeAsync(2900)
    expect(done).toBeUndefined()
    await vi.advanceTimersByTimeAsync(200)
    expect(done).toBe(true)
  })

  test('with a bearer token send neither cookie nor CSRF token', async () => {
    server.send()
    const { manager } = await livePage(server, { token: async () => 'secret' })
    await manager.read('n000001')
    const headers = server.requests.at(-1)?.headers
    expect(headers?.get('Authorization')).toBe('Bearer secret')
    expect(headers?.get('X-XSRF-TOKEN')).toBeNull()
  })
})

describe('the connection', () => {
  test('that comes back shows once what was missed', async () => {
    server.send()
    const { manager, socket, state } = await livePage(server)
    expect(state()).toMatchObject({ connection: 'live', missed: [], toasts: [] })
    socket.move('connecting')
    expect(state().connection).toBe('connecting')
    for (let n = 0; n < 3; n++) server.send()
    server.change('n000001', 'read')
    expect(state().unreadCount).toBe(1)
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ connection: 'live', unreadCount: 3 })
    expect(state().missed.map(({ id }) => id)).toEqual(['n000004', 'n000003', 'n000002'])
    expect(state().toasts).toHaveLength(3)
    expect(ids(state())).toEqual(['n000004', 'n000003', 'n000002', 'n000001'])
    manager.clearMissed()
    socket.move('connecting')
    socket.move('connected')
    await settled()
    expect(state().missed).toEqual([])
    expect(state().toasts).toHaveLength(3)
  })

  test('that stays away is made up for by polling, with what it brings told once', async () => {
    const { socket, state } = await livePage(server, { toasts: { duration: 0 } })
    socket.move('unavailable')
    expect(state()).toMatchObject({ connection: 'connecting' })
    await vi.advanceTimersByTimeAsync(3100)
    expect(state().connection).toBe('polling')
    expect(state().problem).toContain('away')
    server.send()
    await vi.advanceTimersByTimeAsync(18_100)
    expect(state()).toMatchObject({ connection: 'polling', unreadCount: 1 })
    expect(state().toasts).toHaveLength(1)
    socket.move('connected')
    await settled()
    expect(state().connection).toBe('live')
    expect(state().toasts).toHaveLength(1)
    expect(state().missed).toHaveLength(1)
    const { length } = server.requests
    await vi.advanceTimersByTimeAsync(600_000)
    expect(server.requests).toHaveLength(length)
  })

  test('that nobody gave is polling from the start, and says so', async () => {
    server.send()
    const { state } = page(server, { pusher: undefined })
    await settled()
    expect(state()).toMatchObject({
      connection: 'polling',
      problem: 'no key and no connection was given',
      unreadCount: 1,
    })
    server.send()
    await vi.advanceTimersByTimeAsync(18_100)
    expect(state().unreadCount).toBe(2)
  })

  test('that fails altogether is tried more and more seldom', async () => {
    const { state } = page(server, { pusher: undefined })
    await settled()
    for (let n = 0; n < 100; n++) server.faults.push(new TypeError('no route'))
    const before = server.requests.length
    await vi.advanceTimersByTimeAsync(20_000)
    expect(state().connection).toBe('offline')
    expect(state().problem).toContain('no route')
    await vi.advanceTimersByTimeAsync(600_000)
    const tries = server.requests.length - before
    expect(tries).toBeGreaterThan(6)
    expect(tries).toBeLessThan(16)
    server.faults = []
    globalThis.dispatchEvent(new Event('online'))
    await settled()
    expect(state().connection).toBe('polling')
  })

  test('of a server that began anew is believed', async () => {
    for (let n = 0; n < 5; n++) server.send()
    const { socket, state } = await livePage(server)
    server.rows.clear()
    server.version = 0
    server.send({ title: 'Anew' })
    socket.move('connecting')
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ unreadCount: 1, stateVersion: 1 })
    expect(state().notifications).toHaveLength(1)
  })

  test('of somebody who is not signed in waits for that', async () => {
    const unauthorized = () => Response.json({ error: 'not signed in' }, { status: 401 })
    server.faults.push(unauthorized(), unauthorized())
    const socket = page(server, { pollAfter: 100 }).socket
    socket.refusals.push(401)
    const { manager, state } = page(server, {}, socket)
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ connection: 'unauthorized' })
    await vi.advanceTimersByTimeAsync(8000)
    expect(state()).toMatchObject({ connection: 'live', problem: null })
    manager.destroy()
  })

  test.each([
    [419, 0],
    [429, 7000],
    [401, 7000],
    [503, 7000],
    [0, 7000],
  ])('refused with %d is asked for again', async (status, wait) => {
    const { socket, state } = page(server)
    socket.refusals.push(status)
    socket.move('connected')
    await settled()
    if (status === 419) {
      expect(server.requests.some(({ path }) => path === '/sanctum/csrf-cookie')).toBe(true)
    } else expect(state().connection).toBe(status === 401 ? 'unauthorized' : 'polling')
    await vi.advanceTimersByTimeAsync(wait)
    expect(state().connection).toBe('live')
    expect(socket.asked).toBe(2)
  })

  test('refused for good polls, and asks again with the next connection', async () => {
    const { socket, state } = page(server)
    socket.refusals.push(403)
    socket.move('connected')
    await vi.advanceTimersByTimeAsync(120_000)
    expect(socket.asked).toBe(1)
    expect(state()).toMatchObject({
      connection: 'polling',
      problem: 'the channel was refused with 403',
    })
    socket.move('connecting')
    socket.move('connected')
    await settled()
    expect(state().connection).toBe('live')
  })

  test('refused for an old token gets the fresh one of the cookie', async () => {
    const { socket, state } = page(server)
    socket.options = { auth: { headers: { 'X-CSRF-TOKEN': 'old', Accept: 'x' } } }
    // biome-ignore lint/suspicious/noDocumentCookie: that is where it stands
    document.cookie = 'XSRF-TOKEN=fresh'
    socket.refusals.push(419)
    socket.move('connected')
    await settled()
    expect(state().connection).toBe('live')
    expect(socket.options).toEqual({ auth: { headers: { 'X-XSRF-TOKEN': 'fresh', Accept: 'x' } } })
  })
})

describe('destroy', () => {
  test('leaves nothing behind, and start begins again', async () => {
    const { manager, socket, state } = await livePage(server)
    server.send()
    manager.destroy()
    expect(socket.connection.size).toBe(0)
    expect(socket.channels.size).toBe(0)
    const { length } = server.requests
    await vi.advanceTimersByTimeAsync(600_000)
    expect(server.requests).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
    server.send()
    manager.start()
    await settled()
    expect(state()).toMatchObject({ connection: 'live', unreadCount: 2 })
  })

  test('and start at once, as React does, load without delay', async () => {
    server.send()
    const { manager, socket, state } = page(server)
    manager.destroy()
    manager.start()
    socket.move('connected')
    await settled()
    expect(state()).toMatchObject({ connection: 'live', unreadCount: 1, loaded: true })
  })

  test('leaves a channel that was there before', async () => {
    const { manager, socket } = page(server, { pusher: undefined })
    manager.destroy()
    const channel = socket.subscribe('private-user.7')
    const second = page(server, {}, socket)
    second.manager.destroy()
    expect(socket.channel('private-user.7')).toBe(channel)
    expect(channel.size).toBe(0)
  })
})
