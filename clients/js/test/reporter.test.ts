import { type ReporterOptions, report } from 'belfry-client/reporter'
import Echo from 'laravel-echo'
import Pusher from 'pusher-js'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

interface Said {
  socket_id: string
  handlers: Record<string, string[]>
  errors: { channel: string; event: string; error: string }[]
  more?: boolean
}

let pusher: Pusher
let ends: (() => void)[]
let said: Said[]
let asked: { url: string; init: RequestInit }[]
let answers: (Response | Error)[]

const fetching = (async (url: string, init: RequestInit) => {
  asked.push({ url, init })
  said.push(JSON.parse(String(init.body)))
  const answer = answers.shift() ?? new Response(null, { status: 204 })
  if (answer instanceof Error) throw answer
  return answer
}) as typeof fetch

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  ;[ends, said, asked, answers] = [[], [], [], []]
  pusher = new Pusher('app-key', {
    cluster: 'mt1',
    wsHost: 'events.test',
    wsPort: 8600,
    wsPath: '/realtime',
    forceTLS: false,
    enabledTransports: ['ws'],
  })
  pusher.disconnect()
  ends.push(() => pusher.disconnect())
})
afterEach(() => {
  for (const end of ends) end()
  vi.useRealTimers()
})

/** Has the connection as it is after pusher:connection_established. */
function connect(id = '1.2') {
  pusher.connection.socket_id = id
  pusher.connection.state = 'connected'
  pusher.connection.emit('connected', { socket_id: id })
}

const start = (options: ReporterOptions = {}) =>
  ends.push(report(pusher, { fetch: fetching, ...options }))

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** What was said last. */
const last = () => said.at(-1)?.handlers

/** Has an event come, as pusher-js does it. */
function deliver(channel: string, event: string) {
  pusher.channel(channel)?.emit(event, {})
  pusher.global_emitter.emit(event, {})
}

test('it tells what is bound, and what was bound before it came', async () => {
  pusher.subscribe('orders').bind('order.paid', () => {})
  start()
  await pass(10_000)
  expect(said).toEqual([]) // there is no connection to speak of
  connect()
  await pass(400)
  expect(said).toEqual([
    { socket_id: '1.2', handlers: { '': [], orders: ['order.paid'] }, errors: [] },
  ])
  expect(asked[0]?.url).toBe('http://events.test:8600/realtime/app/app-key/report')
  expect(asked[0]?.init).toMatchObject({ method: 'POST', credentials: 'omit', keepalive: true })
  expect(asked[0]?.init.headers).toBeUndefined() // so that no preflight request is needed
})

test('it tells of each change once, and of many together', async () => {
  start()
  connect()
  const news = pusher.subscribe('news')
  news.bind('pusher:subscription_succeeded', () => {})
  const handler = () => {}
  news.bind('posted', handler).bind('edited', handler)
  pusher.bind('everywhere', handler)
  await pass(400)
  expect(said.length).toBe(1)
  expect(last()).toEqual({ '': ['everywhere'], news: ['posted', 'edited'] })
  news.unbind('posted', handler)
  await pass(3000)
  expect(last()).toEqual({ '': ['everywhere'], news: ['edited'] })
  news.bind_global(handler)
  pusher.unbind('everywhere', handler)
  await pass(3000)
  expect(last()).toEqual({ '': [], news: ['edited', '*'] })
  news.bind('edited', handler) // a second handler changes nothing
  await pass(10_000)
  expect(said.length).toBe(3)
  news.unbind_all().unbind_global()
  await pass(3000)
  expect(last()).toEqual({ '': [], news: [] })
  pusher.unsubscribe('news')
  await pass(3000)
  pusher.subscribe('other')
  await pass(3000)
  expect(last()).toHaveProperty('other')
})

test('it tells again after a reconnect, with the new socket id', async () => {
  start()
  connect()
  await pass(400)
  pusher.connection.state = 'connecting'
  pusher.subscribe('orders')
  await pass(5000)
  expect(said.length).toBe(1)
  connect('3.4')
  await pass(2400)
  expect(said.length).toBe(1) // many pages may have come back at once
  await pass(200)
  expect(said[1]).toMatchObject({ socket_id: '3.4', handlers: { orders: [] } })
})

test('it tells which handlers failed, and lets them fail as before', async () => {
  start()
  connect()
  const got: string[] = []
  pusher.subscribe('orders').bind('order.paid', () => {
    got.push('order.paid')
    throw new TypeError('total is undefined')
  })
  pusher.bind('note', () => {
    throw null
  })
  await pass(400)
  for (let i = 0; i < 20; i++) expect(() => deliver('orders', 'order.paid')).toThrow('total')
  let thrown: unknown = 'none'
  try {
    deliver('orders', 'note')
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeNull()
  expect(got.length).toBe(20)
  await pass(3000)
  expect(said.length).toBe(2)
  expect(said[1]?.errors).toEqual([
    { channel: 'orders', event: 'order.paid', error: 'TypeError: total is undefined' },
    { channel: '', event: 'note', error: 'nothing' },
  ])
  await pass(10_000)
  expect(said.length).toBe(2)
})

test('a report is never too large for the server', async () => {
  start()
  connect()
  for (let i = 0; i < 300; i++) pusher.subscribe(`channel-${i}`).bind(`évènement.${i}`, () => {})
  pusher.subscribe('orders').bind('order.paid', () => {
    throw new Error('é'.repeat(5000))
  })
  expect(() => deliver('orders', 'order.paid')).toThrow()
  await pass(400)
  expect(new TextEncoder().encode(String(asked[0]?.init.body)).length).toBeLessThanOrEqual(4096)
  expect(said[0]?.more).toBe(true)
  expect(said[0]?.errors.length).toBe(1)
  expect(Object.keys(said[0]?.handlers ?? {}).length).toBeGreaterThan(40)
})

test('it tries again later when the server is away or busy, and not when it refuses', async () => {
  answers = [
    new TypeError('no network'),
    new Response('', { status: 429, headers: { 'Retry-After': '60' } }),
    new Response('', { status: 404 }),
  ]
  start({ url: 'https://other.test' })
  connect()
  pusher.subscribe('orders')
  await pass(400)
  expect(said.length).toBe(1)
  await pass(37_000)
  expect(said.length).toBe(1)
  await pass(1000)
  expect(said.length).toBe(2)
  await pass(74_000)
  expect(said.length).toBe(2)
  await pass(1500)
  expect(said.length).toBe(3)
  await pass(300_000)
  expect(said.length).toBe(3)
  expect(asked[2]?.url).toBe('https://other.test/app/app-key/report')
})

test('it ends without a trace, and takes a Laravel Echo', async () => {
  const echo = new Echo({ broadcaster: 'pusher', key: 'app-key', client: pusher })
  const end = report(echo, { fetch: fetching })
  connect()
  echo
    .channel('orders')
    .listen('OrderPaid', () => {})
    .listen('.order.paid', () => {})
  await pass(400)
  expect(last()).toEqual({ '': [], orders: ['App\\Events\\OrderPaid', 'order.paid'] })
  end()
  expect(Object.hasOwn(pusher, 'subscribe')).toBe(false)
  expect(Object.hasOwn(pusher.channel('orders'), 'emit')).toBe(false)
  echo.channel('orders').listen('.more', () => {})
  await pass(60_000)
  expect(said.length).toBe(1)
})

test('what is not of pusher-js is left alone', () => {
  expect(() => report({ connector: {} })()).not.toThrow()
})
