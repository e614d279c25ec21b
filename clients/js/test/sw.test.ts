// @vitest-environment node

import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'

const source = readFileSync(new URL('../sw.js', import.meta.url), 'utf8')

interface Shown {
  title: string
  options: { body: string; tag: string; icon?: string; data: unknown }
}

/** A page that answers the worker's questions, or does not. */
function page(url: string, answer?: unknown) {
  return {
    url,
    focused: 0,
    asked: [] as unknown[],
    async focus() {
      this.focused++
    },
    postMessage(message: unknown, ports: MessagePort[]) {
      this.asked.push(message)
      if (answer !== undefined) ports[0]?.postMessage(answer)
    },
  }
}

/** A worker in a browser with these open pages. */
function start(pages: ReturnType<typeof page>[] = [], query = '') {
  const listeners = new Map<string, (event: object) => void>()
  const shown: Shown[] = []
  const opened: string[] = []
  const badge = vi.fn(async () => {})
  const self = {
    location: new URL(`https://app.example.test/sw.js${query}`),
    navigator: { setAppBadge: badge },
    addEventListener: (name: string, f: (event: object) => void) => listeners.set(name, f),
    registration: {
      scope: 'https://app.example.test/',
      showNotification: async (title: string, options: Shown['options']) => {
        shown.push({ title, options })
      },
    },
    clients: {
      matchAll: async () => pages,
      openWindow: async (url: string) => {
        opened.push(url)
      },
    },
  }
  new Function('self', source)(self)
  const happen = async (name: string, event: object) => {
    const work: Promise<unknown>[] = []
    listeners.get(name)?.({ ...event, waitUntil: (p: Promise<unknown>) => work.push(p) })
    await Promise.all(work)
    return work.length > 0
  }
  return {
    shown,
    opened,
    badge,
    push: (raw: unknown) =>
      happen('push', { data: raw === undefined ? null : { json: () => JSON.parse(String(raw)) } }),
    click: (data: unknown) => {
      const close = vi.fn()
      return happen('notificationclick', { notification: { data, close } }).then(() => close)
    },
  }
}

function message(more: object = {}): string {
  return JSON.stringify({ id: 'n1', title: 'Hi', message: 'Text', unread_count: 3, ...more })
}

afterEach(() => {
  vi.useRealTimers()
})

test('shows what comes as text', async () => {
  const worker = start()
  await worker.push(
    message({
      title: '<b>Hi</b>',
      message: '<img src=x>',
      action_url: '/orders/7',
      icon: '/i.png',
    }),
  )
  expect(worker.shown).toEqual([
    {
      title: '<b>Hi</b>',
      options: {
        body: '<img src=x>',
        tag: 'belfry-n1',
        icon: 'https://app.example.test/i.png',
        data: { from: 'belfry', id: 'n1', url: 'https://app.example.test/orders/7' },
      },
    },
  ])
  expect(worker.badge).toHaveBeenCalledWith(3)
})

test('leads to http, https and paths of this host only', async () => {
  for (const action_url of [
    'javascript:alert(1)',
    'data:text/html,x',
    '//evil.example.test/',
    '/\\evil.example.test/',
    'https://',
    'ftp://example.test/',
    'orders',
    null,
    7,
  ]) {
    const worker = start()
    await worker.push(message({ action_url, icon: action_url }))
    expect(worker.shown[0]?.options.data).toMatchObject({ url: '' })
    expect(worker.shown[0]?.options).not.toHaveProperty('icon')
  }
  const worker = start()
  await worker.push(message({ action_url: 'http://elsewhere.example.test/x?y' }))
  expect(worker.shown[0]?.options.data).toMatchObject({ url: 'http://elsewhere.example.test/x?y' })
})

test('leaves the messages of others alone', async () => {
  const worker = start()
  for (const raw of [undefined, 'no JSON', 'null', '[]', '"text"', '{}', '{"id":1,"title":"x"}']) {
    expect(await worker.push(raw)).toBe(false)
  }
  expect(await worker.push('{"id":"1","title":""}')).toBe(false)
  expect(worker.shown).toEqual([])
  const close = await worker.click({ url: 'https://app.example.test/' })
  await worker.click(undefined)
  expect(close).not.toHaveBeenCalled()
  expect(worker.opened).toEqual([])
})

test('is silent when a page shows it', async () => {
  const pages = [
    page('https://app.example.test/a', false),
    page('https://app.example.test/b', true),
  ]
  const worker = start(pages)
  await worker.push(message())
  expect(worker.shown).toEqual([])
  expect(pages[0]?.asked).toEqual([{ type: 'belfry:push', id: 'n1' }])
})

test('shows it when no page says that it does, and waits a moment only', async () => {
  const refusing = start([page('https://app.example.test/', false)])
  await refusing.push(message())
  expect(refusing.shown).toHaveLength(1)
  vi.useFakeTimers()
  const mute = start([page('https://app.example.test/')])
  const pushed = mute.push(message())
  await vi.advanceTimersByTimeAsync(2000)
  await pushed
  expect(mute.shown).toHaveLength(1)
})

test('a click goes to the page that is there, or opens one', async () => {
  const pages = [page('https://app.example.test/'), page('https://app.example.test/orders/7')]
  const there = start(pages)
  const close = await there.click({ from: 'belfry', url: 'https://app.example.test/orders/7' })
  expect(close).toHaveBeenCalled()
  expect(pages.map(({ focused }) => focused)).toEqual([0, 1])
  expect(there.opened).toEqual([])
  await there.click({ from: 'belfry', url: 'https://elsewhere.example.test/' })
  expect(there.opened).toEqual(['https://elsewhere.example.test/'])
  await there.click({ from: 'belfry', url: '' }) // any page will do
  expect(pages[0]?.focused).toBe(1)
  const nowhere = start()
  await nowhere.click({ from: 'belfry', url: '' })
  expect(nowhere.opened).toEqual(['https://app.example.test/'])
  const named = start([], '?open=/notifications')
  await named.click({ from: 'belfry', url: '' })
  expect(named.opened).toEqual(['https://app.example.test/notifications'])
})
