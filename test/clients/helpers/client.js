import Pusher from 'pusher-js'
import { Tape } from './tape.js'

/**
 * @typedef {{event: string, channel?: string, data?: any, user_id?: string}} Frame a frame as pusher-js decoded it
 * @typedef {{name: string, data: any, meta?: {user_id?: string}}} Heard an event as a listener of a channel got it
 */

/** A pusher-js client that records all that it is told. */
export class Client {
  /** @type {Tape<Frame>} */
  frames = new Tape()
  /** @type {Tape<string>} */
  states = new Tape()
  /** @type {Tape<any>} */
  errors = new Tape()

  /**
   * @param {import('./server.js').Server} server
   * @param {import('./apps.js').App} app
   * @param {Partial<import('pusher-js').Options>} [options]
   */
  constructor(server, app, options = {}) {
    this.pusher = new Pusher(app.key, {
      cluster: '',
      wsHost: server.host,
      wsPort: server.port,
      wssPort: server.port,
      forceTLS: false,
      enabledTransports: ['ws', 'wss'],
      ...options,
    })
    const { connection } = this.pusher
    connection.bind('message', (/** @type {Frame} */ frame) => this.frames.push(frame))
    connection.bind('error', (/** @type {any} */ error) => this.errors.push(error))
    connection.bind('state_change', (/** @type {{current: string}} */ change) =>
      this.states.push(change.current),
    )
  }

  /**
   * Makes a client that is closed at the end of the test.
   *
   * @param {import('node:test').TestContext} t
   * @param {import('./server.js').Server} server
   * @param {import('./apps.js').App} app
   * @param {Partial<import('pusher-js').Options>} [options]
   */
  static open(t, server, app, options) {
    const client = new Client(server, app, options)
    t.after(() => client.pusher.disconnect())
    return client
  }

  /** The connection's socket id. */
  get socketId() {
    return this.pusher.connection.socket_id
  }

  /** Waits for a state; from: the index of states to look from. */
  async state(/** @type {string} */ state, { from = 0, ms = 10_000 } = {}) {
    await this.states.find(one => one === state, `the state ${state}`, { from, ms })
  }

  /**
   * Waits for an event on a channel, whichever listeners there are.
   *
   * @param {string} channel
   * @param {string} event
   * @param {(data: any) => boolean} [match]
   */
  async event(channel, event, match = () => true) {
    return this.frames.find(
      frame => frame.channel === channel && frame.event === event && match(frame.data),
      `${event} on ${channel}`,
    )
  }

  /** How many frames of this event came on this channel so far. */
  count(/** @type {string} */ channel, /** @type {string} */ event) {
    return this.frames.items.filter(one => one.channel === channel && one.event === event).length
  }

  /**
   * Subscribes and waits for success; heard records what a listener on the
   * channel gets.
   *
   * @param {string} name
   */
  async subscribe(name) {
    const joined = this.listen(name)
    await joined.heard.find(
      one => one.name === 'pusher:subscription_succeeded',
      `success on ${name}`,
    )
    return joined
  }

  /**
   * Subscribes without waiting.
   *
   * @param {string} name
   */
  listen(name) {
    /** @type {Tape<Heard>} */
    const heard = new Tape()
    const channel = /** @type {import('pusher-js').PresenceChannel} */ (this.pusher.subscribe(name))
    channel.bind_global((/** @type {string} */ event, /** @type {any} */ data) =>
      heard.push({ name: event, data }),
    )
    return { channel, heard }
  }
}

/** Options that let a client be authorized as somebody. */
export function asUser(
  /** @type {string} */ backend,
  /** @type {Record<string, string>} */ query = {},
) {
  const search = new URLSearchParams(query)
  return /** @type {Partial<import('pusher-js').Options>} */ ({
    channelAuthorization: { transport: 'ajax', endpoint: `${backend}/pusher/auth?${search}` },
    userAuthentication: { transport: 'ajax', endpoint: `${backend}/pusher/user-auth?${search}` },
  })
}

let last = 0

/** A channel name that no other test of this file uses. */
export function fresh(/** @type {string} */ prefix = '') {
  return `${prefix}room-${++last}`
}
