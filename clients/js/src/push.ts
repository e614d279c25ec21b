import { Http, RequestFailed } from './http.js'
import type { NotificationManager } from './manager.js'
import type { ConnectionOptions } from './options.js'

/** Where the service worker is. */
export interface PushOptions {
  /** The address of sw.js, on this host. Default: /sw.js */
  worker?: string | undefined
  /** The pages that it is for. Default: those of its folder. */
  scope?: string | undefined
  /** Where it is kept who enabled Web Push. Default: localStorage. */
  storage?: Pick<Storage, 'getItem' | 'setItem'> | undefined
}

/** How it stands with Web Push in this browser. */
export type PushState = 'unsupported' | 'denied' | 'off' | 'on'

/** What requests are made with: a manager, or the options of one. */
export type PushSource =
  | NotificationManager
  | Pick<ConnectionOptions, 'baseUrl' | 'fetch' | 'token' | 'csrf'>

/** How long a worker may take until it runs, in milliseconds. */
const patience = 10_000

/** How it stands, without asking anybody. */
export async function pushState(options: PushOptions = {}): Promise<PushState> {
  if (!supported()) return 'unsupported'
  if (Notification.permission === 'denied') return 'denied'
  const subscription = await current(options)
  return subscription && Notification.permission === 'granted' ? 'on' : 'off'
}

/**
 * Has this browser reached when no page is open: asks for the permission, installs
 * the service worker and subscribes. Call it from a click, as browsers want it.
 * "unsupported" is also what a server with Web Push turned off gives. Throws a
 * RequestFailed, or what the browser says when it cannot subscribe.
 */
export async function enablePush(
  source: PushSource,
  options: PushOptions = {},
): Promise<PushState> {
  if (!supported()) return 'unsupported'
  if (Notification.permission === 'default') {
    if (navigator.userActivation?.isActive === false) {
      throw new Error('enablePush asks for a permission: call it from a click')
    }
    await Notification.requestPermission()
  }
  if (Notification.permission === 'denied') return 'denied'
  if (Notification.permission !== 'granted') return 'off'
  const http = httpOf(source)
  const key = await serverKey(http)
  if (!key) return 'unsupported'
  const worker = await install(options)
  let subscription = await subscribe(worker, key)
  try {
    await tell(http, subscription)
  } catch (error) {
    // The server knows this endpoint with other keys: it is of no use any more.
    if (!(error instanceof RequestFailed) || error.status !== 409) throw error
    await subscription.unsubscribe()
    subscription = await subscribe(worker, key)
    await tell(http, subscription)
  }
  remember(options, await userOf(source, http))
  return 'on'
}

/** Ends it for this browser; call it before somebody signs out. It does not throw. */
export async function disablePush(
  source: PushSource,
  options: PushOptions = {},
): Promise<PushState> {
  if (!supported()) return 'unsupported'
  const subscription = await current(options)
  if (subscription) {
    // What ends in the browser is forgotten by the server at the next message,
    // should the request not get through.
    await subscription.unsubscribe().catch(() => false)
    const { endpoint } = subscription
    await httpOf(source)
      .ask('DELETE', '/api/user/push-subscriptions', { endpoint })
      .catch(() => {})
  }
  remember(options, '')
  return Notification.permission === 'denied' ? 'denied' : 'off'
}

/**
 * Tells the server that this browser is still there, with a fresh subscription
 * where the key is another; call it when a page opens and somebody is signed in.
 * Where it was somebody else who enabled it here, it ends. It never asks for the
 * permission, and throws as enablePush does.
 */
export async function renewPush(source: PushSource, options: PushOptions = {}): Promise<PushState> {
  const state = await pushState(options)
  if (state !== 'on') return state
  const user = await userOf(source, httpOf(source))
  const before = recall(options)
  if (before && before !== user) return disablePush(source, options)
  return enablePush(source, options)
}

function supported(): boolean {
  return (
    typeof Notification !== 'undefined' &&
    globalThis.navigator?.serviceWorker !== undefined &&
    'PushManager' in globalThis
  )
}

function httpOf(source: PushSource): Http {
  if ('getState' in source) return source['api'] // private to others
  const { baseUrl = '', fetch, token, csrf = true } = source
  return new Http({
    baseUrl: baseUrl.replace(/\/+$/, ''),
    fetch,
    token,
    csrf,
    socketId: () => undefined,
  })
}

async function userOf(source: PushSource, http: Http): Promise<string> {
  const known = 'getState' in source ? source.userId : undefined
  return known ?? String((await http.ask('GET', '/api/user')).id ?? '')
}

/** The server's key; undefined when it has Web Push turned off. */
async function serverKey(http: Http): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    const { public_key: key } = await http.ask('GET', '/api/push-key')
    return typeof key === 'string' ? decode(key) : undefined
  } catch (error) {
    if (error instanceof RequestFailed && error.status === 404) return undefined
    throw error
  }
}

function tell(http: Http, subscription: PushSubscription) {
  return http.ask('POST', '/api/user/push-subscriptions', subscription.toJSON())
}

function addressOf({ worker = '/sw.js', scope }: PushOptions): string {
  return scope ?? worker
}

async function current(options: PushOptions): Promise<PushSubscription | null | undefined> {
  try {
    const registration = await navigator.serviceWorker.getRegistration(addressOf(options))
    return await registration?.pushManager.getSubscription()
  } catch {
    return undefined // some browsers forbid it in private windows
  }
}

async function install({ worker = '/sw.js', scope }: PushOptions) {
  const registration = await navigator.serviceWorker.register(worker, {
    updateViaCache: 'none',
    ...(scope !== undefined && { scope }),
  })
  const coming = registration.active ? undefined : (registration.installing ?? registration.waiting)
  if (!coming || coming.state === 'activated') return registration
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(reject, patience, new Error('the service worker does not start'))
    coming.addEventListener('statechange', () => {
      if (coming.state === 'redundant') reject(new Error('the service worker was refused'))
      if (coming.state !== 'activated') return
      clearTimeout(timer)
      resolve()
    })
  })
  return registration
}

/** The subscription to the server's key: the one that is there, or a fresh one. */
async function subscribe(
  { pushManager }: ServiceWorkerRegistration,
  key: Uint8Array<ArrayBuffer>,
): Promise<PushSubscription> {
  const there = await pushManager.getSubscription()
  if (there) {
    const its = there.options?.applicationServerKey
    if (its && same(new Uint8Array(its), key)) return there
    await there.unsubscribe()
  }
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key })
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}

function decode(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(text, character => character.charCodeAt(0))
}

const kept = 'belfry:push'

function recall({ storage }: PushOptions): string {
  try {
    return (storage ?? globalThis.localStorage).getItem(kept) ?? ''
  } catch {
    return ''
  }
}

function remember({ storage }: PushOptions, user: string): void {
  try {
    ;(storage ?? globalThis.localStorage).setItem(kept, user)
  } catch {
    // Some browsers forbid it: then the next page takes it for its own user's.
  }
}
