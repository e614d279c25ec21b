import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { disablePush, enablePush, NotificationManager, pushState, renewPush } from '../src/index.js'
import { closePages, livePage, memory } from './page.js'
import { Server } from './server.js'

const key = Uint8Array.from({ length: 65 }, (_, i) => (i * 37) % 256)
const base64url = btoa(String.fromCharCode(...key))
  .replaceAll('+', '-')
  .replaceAll('/', '_')
  .replaceAll('=', '')

/** A server that takes subscriptions. */
class PushServer {
  key: string | undefined = base64url
  user = '7'
  asked: string[] = []
  bodies: unknown[] = []
  refuse: number[] = []
  fetch = (async (url: string, init: RequestInit) => {
    const what = `${init.method} ${url}`
    this.asked.push(what)
    if (what === 'GET /api/user') return json(200, { id: this.user })
    if (what === 'GET /api/push-key') {
      return this.key ? json(200, { public_key: this.key }) : json(404, { code: 'not_found' })
    }
    this.bodies.push(JSON.parse(String(init.body)))
    if (init.method === 'DELETE') return new Response(null, { status: 204 })
    return json(this.refuse.shift() ?? 200, { subscriptions: 1 })
  }) as typeof fetch
}

function json(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status })
}

/** The push side of a browser. */
class FakeBrowser extends EventTarget {
  made = 0
  subscription: FakeSubscription | null = null
  registered: unknown[] = []
  shown: { title: string; options: { tag: string } }[] = []
  closed: string[] = []
  registration = {
    active: {},
    pushManager: {
      getSubscription: async () => this.subscription,
      subscribe: async (options: {
        userVisibleOnly: boolean
        applicationServerKey: Uint8Array
      }) => {
        expect(options.userVisibleOnly).toBe(true)
        this.subscription = new FakeSubscription(this, ++this.made, options.applicationServerKey)
        return this.subscription
      },
    },
    showNotification: async (title: string, options: { tag: string }) => {
      this.shown.push({ title, options })
    },
    getNotifications: async ({ tag }: { tag: string }) => [{ close: () => this.closed.push(tag) }],
  }
  getRegistration = async () => (this.registered.length > 0 ? this.registration : undefined)
  register = async (...args: unknown[]) => {
    this.registered.push(args)
    return this.registration
  }
}

class FakeSubscription {
  options: { applicationServerKey: ArrayBuffer }
  endpoint: string
  constructor(
    private readonly browser: FakeBrowser,
    number: number,
    key: Uint8Array,
  ) {
    this.options = { applicationServerKey: key.slice().buffer as ArrayBuffer }
    this.endpoint = `https://push.example.test/${number}`
  }
  toJSON() {
    return { endpoint: this.endpoint, expirationTime: null, keys: { p256dh: 'p', auth: 'a' } }
  }
  async unsubscribe() {
    this.browser.subscription = null
    return true
  }
}

const permission = { permission: 'default', requestPermission: vi.fn() }
let server: PushServer
let browser: FakeBrowser
let options: { storage: ReturnType<typeof memory> }
let source: { fetch: typeof fetch; csrf: false }

beforeEach(() => {
  server = new PushServer()
  browser = new FakeBrowser()
  options = { storage: memory() }
  source = { fetch: server.fetch, csrf: false }
  permission.permission = 'default'
  permission.requestPermission = vi.fn(async () => {
    permission.permission = 'granted'
    return 'granted'
  })
  vi.stubGlobal('Notification', permission)
  vi.stubGlobal('PushManager', class {})
  Object.defineProperty(navigator, 'serviceWorker', { value: browser, configurable: true })
  Object.defineProperty(navigator, 'userActivation', {
    value: { isActive: true },
    configurable: true,
  })
})
afterEach(() => {
  closePages()
  vi.unstubAllGlobals()
  vi.useRealTimers()
  Reflect.deleteProperty(navigator, 'serviceWorker')
  Reflect.deleteProperty(navigator, 'userActivation')
})

describe('enabling', () => {
  test('asks, installs the worker, subscribes and tells the server', async () => {
    expect(await pushState(options)).toBe('off')
    expect(await enablePush(source, { ...options, worker: '/sw.js?open=/n', scope: '/' })).toBe(
      'on',
    )
    expect(permission.requestPermission).toHaveBeenCalledTimes(1)
    expect(browser.registered).toEqual([['/sw.js?open=/n', { updateViaCache: 'none', scope: '/' }]])
    expect(new Uint8Array(browser.subscription?.options.applicationServerKey ?? [])).toEqual(key)
    expect(server.bodies).toEqual([browser.subscription?.toJSON()])
    expect(await pushState(options)).toBe('on')
    expect(await enablePush(source, options)).toBe('on') // again: the same one
    expect(browser.made).toBe(1)
    expect(permission.requestPermission).toHaveBeenCalledTimes(1)
  })

  test('with a manager uses its requests', async () => {
    const manager = new NotificationManager({ ...source, userId: 7 })
    expect(await enablePush(manager, options)).toBe('on')
    expect(server.asked).toEqual(['GET /api/push-key', 'POST /api/user/push-subscriptions'])
  })

  test('asks for the permission at a click only', async () => {
    Object.defineProperty(navigator, 'userActivation', {
      value: { isActive: false },
      configurable: true,
    })
    await expect(enablePush(source, options)).rejects.toThrow('call it from a click')
    expect(permission.requestPermission).not.toHaveBeenCalled()
  })

  test('takes a no', async () => {
    permission.requestPermission = vi.fn(async () => {
      permission.permission = 'denied'
    })
    expect(await enablePush(source, options)).toBe('denied')
    expect(await pushState(options)).toBe('denied')
    permission.permission = 'default'
    permission.requestPermission = vi.fn(async () => {})
    expect(await enablePush(source, options)).toBe('off') // closed without an answer
    expect(server.asked).toEqual([])
  })

  test('where nothing of it is there', async () => {
    server.key = undefined
    expect(await enablePush(source, options)).toBe('unsupported')
    expect(browser.registered).toEqual([])
    vi.stubGlobal('PushManager', undefined)
    Reflect.deleteProperty(globalThis, 'PushManager')
    expect(await enablePush(source, options)).toBe('unsupported')
    expect(await pushState(options)).toBe('unsupported')
    expect(await disablePush(source, options)).toBe('unsupported')
  })

  test('subscribes anew for another key, and when the server refuses the endpoint', async () => {
    await enablePush(source, options)
    server.key = base64url.replace(/^./, 'B')
    expect(await renewPush(source, options)).toBe('on')
    expect(browser.made).toBe(2)
    server.refuse = [409]
    expect(await enablePush(source, options)).toBe('on')
    expect(browser.made).toBe(3)
    server.refuse = [500]
    await expect(enablePush(source, options)).rejects.toMatchObject({ status: 500 })
  })
})

describe('afterwards', () => {
  test('ends', async () => {
    await enablePush(source, options)
    const endpoint = browser.subscription?.endpoint
    expect(await disablePush(source, options)).toBe('off')
    expect(browser.subscription).toBeNull()
    expect(server.bodies.at(-1)).toEqual({ endpoint })
    expect(await pushState(options)).toBe('off')
    expect(await renewPush(source, options)).toBe('off')
    expect(browser.made).toBe(1)
  })

  test('another person at this browser does not inherit it', async () => {
    await enablePush(source, options)
    expect(await renewPush(source, options)).toBe('on')
    server.user = '8'
    expect(await renewPush(source, options)).toBe('off')
    expect(browser.subscription).toBeNull()
  })
})

/** Asks the page as the worker does. */
function ask(id: unknown): Promise<unknown> {
  const { port1, port2 } = new MessageChannel()
  const event = new MessageEvent('message', { data: { type: 'belfry:push', id }, ports: [port2] })
  browser.dispatchEvent(event)
  return new Promise(resolve => {
    port1.onmessage = ({ data }) => {
      port1.close()
      resolve(data)
    }
  })
}

describe('a page', () => {
  test('says that it shows what it has, while somebody looks', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    const model = new Server()
    await livePage(model)
    const id = idOf(model.send())
    const look = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('visible')
    expect(await ask(id)).toBe(true)
    expect(await ask('unknown')).toBe(false)
    look.mockReturnValue('hidden')
    expect(await ask(id)).toBe(false)
  })

  test('leaves what is shown outside to the worker, which shows each once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
    await enablePush(source, options)
    vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    const model = new Server()
    const { manager } = await livePage(model)
    const first = idOf(model.send())
    await vi.waitFor(() => expect(browser.shown).toHaveLength(1))
    expect(browser.shown[0]?.options.tag).toBe(`belfry-${first}`)
    for (let i = 0; i < 4; i++) model.send() // a burst
    await vi.waitFor(() => expect(browser.shown).toHaveLength(5))
    await manager.read(first)
    await vi.waitFor(() => expect(browser.closed).toEqual([`belfry-${first}`]))
  })
})

function idOf({ data }: ReturnType<Server['send']>): string {
  return String((data as { id: unknown }).id)
}
