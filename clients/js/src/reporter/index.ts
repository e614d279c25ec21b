import type { EchoLike, PusherLike } from '../live.js'

/** How a page reports. Nothing is required. */
export interface ReporterOptions {
  /** The server's address, with its path prefix. Default: where the connection goes. */
  url?: string | undefined
  /** Default: the browser's. */
  fetch?: typeof fetch | undefined
}

type Method = (...values: never[]) => unknown

/** What of pusher-js gives events to handlers. */
interface Emitter {
  callbacks?: { _callbacks?: Record<string, unknown[]> }
  global_callbacks?: unknown[]
}

/** What more is used of a connection of pusher-js than others may have. */
interface Page extends PusherLike {
  key: string
  config: { useTLS?: boolean; wsHost: string; wsPort: number; wssPort: number; wsPath: string }
  channels: { channels: Record<string, Emitter> }
  global_emitter: Emitter
}

interface Failure {
  channel: string
  event: string
  error: string
}

/** What the server takes, in bytes. */
const most = 4096
/** How many failures one report holds. */
const mostFailures = 5
/** How long a change waits for others to go with it, in milliseconds. */
const together = 300
/** How long at least lies between two reports, in milliseconds. */
const between = 3000
/** How long after a reconnect pages report, at most, so that not all do at once, in milliseconds. */
const spread = 5000
/** How long at least after a report that did not arrive another is tried, in milliseconds. */
const again = 30_000

/**
 * Tells the server which channels and event names this page has handlers for, and
 * which handlers fail, so that "belfry explain" can say that an event arrived and
 * nobody listened. It sends names and errors, never an event's data, and changes
 * nothing of what handlers do. The function that it gives ends it.
 */
export function report(source: PusherLike | EchoLike, options: ReporterOptions = {}): () => void {
  const pusher = ('connector' in source ? pusherOf(source.connector) : source) as Page | undefined
  if (!pusher?.channels?.channels) return () => {} // not of pusher-js: there is nothing to tell
  const undo = new Map<object, (() => void)[]>()
  let failures: Failure[] = []
  let sent = ''
  let due = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let ended = false

  /** Has a function called after a method, with what it threw. */
  const wrap = (
    target: object,
    name: string,
    after: (values: never[], error?: unknown) => void,
  ) => {
    const methods = target as Record<string, Method | undefined>
    const before = methods[name]
    if (!before) return
    const own = Object.hasOwn(methods, name)
    function wrapped(this: unknown, ...values: never[]) {
      let error: unknown
      try {
        return before?.apply(this, values)
      } catch (thrown) {
        error = thrown ?? 'nothing'
        throw thrown
      } finally {
        after(values, error)
      }
    }
    methods[name] = wrapped
    undo.get(target)?.push(() => {
      if (methods[name] !== wrapped) return // somebody else's is around it
      if (own) methods[name] = before
      else delete methods[name]
    })
  }

  const watch = (target: object, channel: string) => {
    if (undo.has(target)) return
    undo.set(target, [])
    for (const name of [
      'bind',
      'unbind',
      'bind_global',
      'unbind_global',
      'unbind_all',
      'subscribe',
      'unsubscribe',
    ]) {
      wrap(target, name, soon)
    }
    wrap(target, 'emit', ([event], thrown) => {
      if (thrown === undefined) return
      const error = clip(thrown)
      const same = (one: Failure) =>
        one.channel === channel && one.event === event && one.error === error
      if (failures.length < mostFailures && !failures.some(same)) {
        failures.push({ channel, event: clip(event), error })
      }
      soon()
    })
  }

  /** Watches what is there, and reports soon. */
  const soon = () => {
    if (ended) return
    const now = Object.entries(pusher.channels.channels)
    for (const [name, channel] of now) watch(channel, name)
    const there = new Set<object>([pusher, pusher.global_emitter, ...now.map(([, one]) => one)])
    for (const target of undo.keys()) if (!there.has(target)) undo.delete(target)
    clearTimeout(timer)
    timer = setTimeout(send, Math.max(together, due - Date.now()))
  }

  const send = () => {
    const { socket_id, state } = pusher.connection
    if (!socket_id || state !== 'connected') return
    const handlers: Record<string, string[]> = {}
    let more: true | undefined
    const body = () => JSON.stringify({ socket_id, handlers, errors: failures, more })
    while (bytes(body()) > most / 2) failures.pop()
    const all = Object.entries(pusher.channels.channels)
    for (const [name, target] of [['', pusher.global_emitter] as const, ...all]) {
      handlers[name] = names(target)
      if (bytes(body()) <= most - 20) continue
      delete handlers[name]
      more = true
      break // what stands before it is true of its channels all the same
    }
    const shape = JSON.stringify([socket_id, handlers])
    if (shape === sent && failures.length === 0) return
    const told = failures
    const text = body()
    sent = shape
    failures = []
    due = Date.now() + between
    const { useTLS, wsHost, wsPort, wssPort, wsPath } = pusher.config
    const host = useTLS ? `https://${wsHost}:${wssPort}` : `http://${wsHost}:${wsPort}`
    // Text, and no cookies: so browsers need not ask first whether they may.
    ;(options.fetch ?? fetch)(`${options.url ?? host + wsPath}/app/${pusher.key}/report`, {
      method: 'POST',
      body: text,
      credentials: 'omit',
      keepalive: true,
    })
      .then(
        ({ status, headers }) =>
          status < 429 ? 0 : Math.max(again, Number(headers.get('Retry-After')) * 1000),
        () => again,
      )
      .then(wait => {
        if (wait === 0) return // it was taken, or is refused for good
        due = Date.now() + wait * (1 + Math.random() / 2)
        sent = ''
        failures = [...told, ...failures].slice(0, mostFailures)
        soon()
      })
  }

  const connected = () => {
    if (sent) due = Math.max(due, Date.now() + spread * Math.random())
    sent = ''
    soon()
  }
  pusher.connection.bind('connected', connected)
  watch(pusher, '')
  watch(pusher.global_emitter, '')
  soon()
  return () => {
    ended = true
    clearTimeout(timer)
    pusher.connection.unbind('connected', connected)
    for (const steps of undo.values()) for (const step of steps) step()
  }
}

const pusherOf = (connector: unknown) => (connector as { pusher?: PusherLike } | undefined)?.pusher

/** The names that something has handlers for; "*" is a handler for all. */
function names({ callbacks, global_callbacks }: Emitter): string[] {
  const bound = Object.keys(callbacks?._callbacks ?? {}).map(name => name.slice(1)) // after a "_"
  if (global_callbacks?.length) bound.push('*')
  return bound.filter(name => !/^pusher(_internal)?:/.test(name))
}

const bytes = (text: string) => new TextEncoder().encode(text).length

const clip = (value: unknown) => String(value).slice(0, 200)
