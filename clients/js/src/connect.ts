import { type Http, RequestFailed } from './http.js'
import { type PusherLike, pusherOf } from './live.js'
import type { ConnectionOptions, PusherClass } from './options.js'

/** A connection, and whether it was made here and so must be closed. */
export interface Connected {
  pusher: PusherLike
  owned: boolean
  /** What the last authorization was refused with. */
  refusal(): RequestFailed | undefined
}

/** The connection that the options speak of; a text says why there is none. */
export function connect(options: ConnectionOptions, http: Http): Connected | string {
  const given = options.pusher ?? (options.echo && pusherOf(options.echo))
  if (given) return { pusher: given, owned: false, refusal: () => undefined }
  if (!options.key) return 'no key and no connection was given'
  const Pusher = options.Pusher ?? (globalThis as { Pusher?: PusherClass }).Pusher
  if (!Pusher) return 'pusher-js is not there: give its class as Pusher'
  let refusal: RequestFailed | undefined
  const authorize = (
    { socketId, channelName }: { socketId: string; channelName: string },
    done: (error: Error | null, answer: Record<string, unknown> | null) => void,
  ) => {
    refusal = undefined
    http.authorize(options.authEndpoint ?? '/broadcasting/auth', socketId, channelName).then(
      answer => done(null, answer),
      error => {
        refusal = error instanceof RequestFailed ? error : undefined
        done(error instanceof Error ? error : new Error(String(error)), null)
      },
    )
  }
  const address = new URL(options.baseUrl || '/', globalThis.location?.href ?? 'http://localhost')
  const tls = options.tls ?? address.protocol === 'https:'
  const port = options.port ?? (Number(address.port) || (tls ? 443 : 80))
  const pusher = new Pusher(options.key, {
    cluster: 'mt1', // unused, since a host is given, but required
    wsHost: options.host ?? address.hostname,
    wsPort: port,
    wssPort: port,
    forceTLS: tls,
    enabledTransports: ['ws', 'wss'],
    channelAuthorization: { customHandler: authorize },
    ...options.pusherOptions,
  })
  return { pusher, owned: true, refusal: () => refusal }
}
