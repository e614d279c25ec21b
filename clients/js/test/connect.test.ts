import Echo from 'laravel-echo'
import RealPusher from 'pusher-js'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { connect } from '../src/connect.js'
import { Http, RequestFailed } from '../src/http.js'
import { pusherOf } from '../src/live.js'
import { closePages, page, settled } from './page.js'
import { Server } from './server.js'
import { Socket } from './socket.js'

interface Handler {
  channelAuthorization: {
    customHandler(
      params: { socketId: string; channelName: string },
      done: (error: Error | null, answer: unknown) => void,
    ): void
  }
}

let server: Server
/** The connections that were made. */
let made: { key: string; options: Record<string, unknown> & Handler; socket: Socket }[]

class FakePusher extends Socket {
  constructor(key: string, options: Record<string, unknown>) {
    super()
    made.push({ key, options: options as Record<string, unknown> & Handler, socket: this })
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  server = new Server()
  made = []
})
afterEach(() => {
  closePages()
  vi.useRealTimers()
})

test('a key makes a connection of its own to the host of baseUrl, and ends it', async () => {
  const baseUrl = 'https://events.example.com/belfry/'
  const options = { pusher: undefined, key: 'app-key', Pusher: FakePusher, baseUrl }
  const { manager } = page(server, options)
  expect(made[0]).toMatchObject({
    key: 'app-key',
    options: { wsHost: 'events.example.com', wssPort: 443, forceTLS: true },
  })
  await settled()
  manager.destroy()
  expect(made[0]?.socket.connection.state).toBe('disconnected')
})

test('a key without pusher-js polls, and says why', async () => {
  const { state } = page(server, { pusher: undefined, key: 'app-key' })
  await settled()
  expect(state()).toMatchObject({ connection: 'polling', unreadCount: 0 })
  expect(state().problem).toContain('pusher-js')
})

test('its channels are authorized with the token, and a refusal says when to ask again', async () => {
  const options = { pusher: undefined, key: 'app-key', Pusher: FakePusher, token: 'secret' }
  const { state } = page(server, options)
  await settled()
  const [{ options: given, socket } = { options: undefined, socket: undefined }] = made
  const authorize = () =>
    new Promise(resolve => {
      given?.channelAuthorization.customHandler(
        { socketId: '1.2', channelName: 'private-user.7' },
        (error, answer) => resolve(error ?? answer),
      )
    })
  server.faults.push(Response.json({ auth: 'key:signature' }))
  expect(await authorize()).toEqual({ auth: 'key:signature' })
  expect(server.requests.at(-1)).toMatchObject({ method: 'POST', path: '/broadcasting/auth' })
  expect(server.requests.at(-1)?.headers.get('Authorization')).toBe('Bearer secret')

  server.faults.push(new Response('{}', { status: 429, headers: { 'Retry-After': '40' } }))
  expect(await authorize()).toBeInstanceOf(RequestFailed)
  // pusher-js tells of a handler's error without its status.
  socket?.move('connected')
  const channel = socket?.channel('private-user.7')
  await settled()
  if (channel) channel.subscribed = false
  channel?.emit('pusher:subscription_error', { type: 'AuthError' })
  expect(state().problem).toContain('429')
  await vi.advanceTimersByTimeAsync(39_000)
  expect(socket?.asked).toBe(1)
  await vi.advanceTimersByTimeAsync(2000)
  expect(socket?.asked).toBe(2)
  expect(state().connection).toBe('live')
})

test('pusher-js and Echo as they are have what is used of them', () => {
  const pusher = new RealPusher('key', { cluster: 'mt1', wsHost: 'localhost' })
  const echo = new Echo({ broadcaster: 'pusher', key: 'key', cluster: 'mt1', client: pusher })
  const http = new Http({
    baseUrl: '',
    fetch: undefined,
    token: undefined,
    csrf: true,
    socketId: () => undefined,
  })
  expect(pusherOf(echo)).toBe(pusher)
  expect(connect({ echo }, http)).toMatchObject({ pusher, owned: false })
  for (const name of ['subscribe', 'unsubscribe', 'channel', 'connect', 'disconnect'] as const) {
    expect(typeof pusher[name]).toBe('function')
  }
  expect(typeof pusher.connection.unbind).toBe('function')
  pusher.disconnect()
  expect(() => pusherOf({ connector: {} })).toThrow('broadcaster')
})
