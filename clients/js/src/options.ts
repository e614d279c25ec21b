import type { EchoLike, PusherLike } from './live.js'
import type { Notification } from './notification.js'
import type { Toast } from './toasts.js'

/** The class that pusher-js exports. */
export type PusherClass = new (
  key: string,
  // biome-ignore lint/suspicious/noExplicitAny: the options of whichever version is there
  options: any,
) => PusherLike

/** The connection, and how requests are made. */
export interface ConnectionOptions {
  /** A Laravel Echo with the broadcaster "pusher" or "reverb". It stays yours. */
  echo?: EchoLike | undefined
  /** A connection of pusher-js. It stays yours. */
  pusher?: PusherLike | undefined
  /** The app's key, for a connection of its own. Needs Pusher. */
  key?: string | undefined
  /** The class of pusher-js, for key. Default: window.Pusher. */
  Pusher?: PusherClass | undefined
  /** The server's host, for key. Default: that of baseUrl, or of the page. */
  host?: string | undefined
  /** The server's port, for key. Default: that of baseUrl, or of the page. */
  port?: number | undefined
  /** Whether to use TLS, for key. Default: as baseUrl, or as the page. */
  tls?: boolean | undefined
  /** Further options of pusher-js, for key. */
  pusherOptions?: Record<string, unknown> | undefined
  /** Where channels are authorized, for key. Default: /broadcasting/auth. */
  authEndpoint?: string | undefined

  /** The server's address, without a slash at its end. Default: the page's. */
  baseUrl?: string | undefined
  /** Default: the browser's. */
  fetch?: typeof fetch | undefined
  /** A bearer token in place of the session cookie, or what gives one. */
  token?: string | (() => string | Promise<string>) | undefined
  /** Whether to send the token of the cookie XSRF-TOKEN. Default: true. */
  csrf?: boolean | undefined

  /** How long a connection may be away before polling begins, in milliseconds. Default: 3000. */
  pollAfter?: number | undefined
  /** How long between two polls, in milliseconds. Default: 15000. */
  pollInterval?: number | undefined
}

/**
 * What a NotificationManager is made with. Nothing is required: without a
 * connection (echo, pusher or key) it polls.
 */
export interface NotificationOptions extends ConnectionOptions {
  /** Who is signed in. Default: what GET /api/user answers. */
  userId?: string | number | undefined
  /** The channel of the user's events. Default: private-user.{userId}. */
  channel?: ((userId: string) => string) | undefined

  /** How many notifications a page of the list holds, 1 to 100. Default: 25. */
  pageSize?: number | undefined

  /** A tone for what arrives: true for the built-in one. Default: true. */
  sound?: boolean | ((notification: Notification) => void) | undefined
  /** Whether the unread count stands in the page's title. Default: true. */
  title?: boolean | undefined
  /** Toasts of the state, false for none. */
  toasts?: { duration?: number; burstTitle?: (count: number) => string } | false | undefined
  /** Called for each toast, and again when a burst grows. */
  onToast?: ((toast: Toast) => void) | undefined
  /** Called when a browser notification is clicked. Default: follows its action_url. */
  onOpen?: ((notification: Notification) => void) | undefined
  /** Where mute and the like are kept. Default: localStorage. */
  storage?: Pick<Storage, 'getItem' | 'setItem'> | undefined
}
