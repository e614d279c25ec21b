import type { ChannelLike, PusherLike } from '../src/live.js'
import type { Event, Server } from './server.js'

type Callback = (data: unknown) => void

class Emitter {
  private callbacks: [string, Callback][] = []
  bind(event: string, callback: Callback): void {
    this.callbacks.push([event, callback])
  }
  unbind(event: string, callback: Callback): void {
    this.callbacks = this.callbacks.filter(([e, c]) => e !== event || c !== callback)
  }
  emit(event: string, data?: unknown): void {
    for (const [name, callback] of [...this.callbacks]) if (name === event) callback(data)
  }
  get size(): number {
    return this.callbacks.length
  }
}

class FakeChannel extends Emitter implements ChannelLike {
  subscribed = false
  pending = false
}

let sockets = 0

/** A connection that behaves as one of pusher-js, moved by the test. */
export class Socket implements PusherLike {
  connection = Object.assign(new Emitter(), { state: 'initialized', socket_id: '' })
  channels = new Map<string, FakeChannel>()
  /** What authorizations are refused with, one after the other. */
  refusals: number[] = []
  asked = 0
  options: Record<string, unknown> = {}

  /** Delivers the server's events while it is subscribed, but for its own. */
  follow(server: Server): this {
    const before = server.onEvent
    server.onEvent = (event, except) => {
      before(event, except)
      if (except === null || except !== this.connection.socket_id) this.deliver(event)
    }
    return this
  }

  deliver({ name, data }: Event): void {
    for (const channel of this.channels.values()) if (channel.subscribed) channel.emit(name, data)
  }

  move(state: string): void {
    const previous = this.connection.state
    this.connection.state = state
    this.connection.socket_id = state === 'connected' ? `1.${++sockets}` : ''
    for (const channel of this.channels.values()) {
      channel.subscribed = channel.pending = false
    }
    this.connection.emit('state_change', { previous, current: state })
    if (state === 'connected') for (const name of this.channels.keys()) this.subscribe(name)
  }

  channel(name: string): FakeChannel | undefined {
    return this.channels.get(name)
  }

  subscribe(name: string): FakeChannel {
    const channel = this.channels.get(name) ?? new FakeChannel()
    this.channels.set(name, channel)
    if (this.connection.state !== 'connected' || channel.pending || channel.subscribed) {
      return channel
    }
    channel.pending = true
    this.asked++
    const refusal = this.refusals.shift()
    queueMicrotask(() => {
      channel.pending = false
      if (refusal !== undefined) {
        channel.emit('pusher:subscription_error', { type: 'AuthError', status: refusal })
      } else {
        channel.subscribed = true
        channel.emit('pusher:subscription_succeeded', {})
      }
    })
    return channel
  }

  unsubscribe(name: string): void {
    this.channels.delete(name)
  }

  connect(): void {
    this.move('connected')
  }

  disconnect(): void {
    this.move('disconnected')
  }
}
