import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Tabs } from '../src/tabs.js'
import { type Toast, Toasts } from '../src/toasts.js'
import { closePages, livePage, memory } from './page.js'
import { blank, Server } from './server.js'

/** Channels between the tabs of the test, whose packets take 5 ms. */
class FakeBroadcastChannel {
  static open: FakeBroadcastChannel[] = []
  onmessage: ((event: { data: unknown }) => void) | null = null
  constructor(readonly name: string) {
    FakeBroadcastChannel.open.push(this)
  }
  postMessage(data: unknown): void {
    for (const other of FakeBroadcastChannel.open) {
      if (other === this || other.name !== this.name) continue
      setTimeout(() => other.onmessage?.({ data: structuredClone(data) }), 5)
    }
  }
  close(): void {
    FakeBroadcastChannel.open = FakeBroadcastChannel.open.filter(other => other !== this)
    this.onmessage = null
  }
}

class FakeNotification {
  static permission = 'default'
  static shown: FakeNotification[] = []
  static requestPermission = vi.fn(async () => {
    FakeNotification.permission = 'granted'
    return 'granted'
  })
  onclick?: () => void
  onclose?: () => void
  constructor(
    readonly title: string,
    readonly options: { body: string; tag: string },
  ) {
    FakeNotification.shown = FakeNotification.shown.filter(
      ({ options: o }) => o.tag !== options.tag,
    )
    FakeNotification.shown.push(this)
  }
  close(): void {
    FakeNotification.shown = FakeNotification.shown.filter(other => other !== this)
    this.onclose?.()
  }
}

let server: Server

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  vi.stubGlobal('BroadcastChannel', FakeBroadcastChannel)
  vi.stubGlobal('Notification', FakeNotification)
  FakeNotification.permission = 'default'
  FakeNotification.shown = []
  server = new Server()
})
afterEach(() => {
  closePages()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function look(state: 'visible' | 'hidden'): void {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state)
}

describe('two tabs', () => {
  test('make one sound', async () => {
    const storage = memory()
    const rang: string[] = []
    const sound = (tab: string) => () => rang.push(tab)
    await livePage(server, { storage, sound: sound('one') })
    const second = await livePage(server, { storage, sound: sound('two') })
    server.send()
    await vi.advanceTimersByTimeAsync(500)
    expect(rang).toHaveLength(1)
    server.send() // too soon for another
    await vi.advanceTimersByTimeAsync(3000)
    expect(rang).toHaveLength(1)
    server.send()
    await vi.advanceTimersByTimeAsync(500)
    expect(rang).toHaveLength(2)
    second.manager.setMuted(true)
    await vi.advanceTimersByTimeAsync(3000)
    server.send()
    await vi.advanceTimersByTimeAsync(500)
    expect(rang).toHaveLength(2)
  })

  test('make one sound also when one hears of it later', async () => {
    const rang: string[] = []
    const sound = () => rang.push('rang')
    const storage = memory()
    await livePage(server, { storage, sound })
    const { socket } = await livePage(server, { storage, sound })
    socket.move('connecting')
    server.send()
    await vi.advanceTimersByTimeAsync(2900)
    socket.move('connected')
    await vi.advanceTimersByTimeAsync(500)
    expect(rang).toHaveLength(1)
  })

  test('tell each other what was read, also without a connection', async () => {
    server.send()
    const one = await livePage(server, { pusher: undefined })
    const two = await livePage(server, { pusher: undefined })
    expect(two.state().unreadCount).toBe(1)
    await one.manager.read('n000001')
    await vi.advanceTimersByTimeAsync(10)
    expect(two.state()).toMatchObject({ connection: 'polling', unreadCount: 0, stateVersion: 2 })
  })

  test('of different users hear nothing of each other', async () => {
    const heard: unknown[] = []
    const one = new Tabs('user 1', message => heard.push(message))
    const two = new Tabs('user 2', message => heard.push(message))
    one.send('x')
    await vi.advanceTimersByTimeAsync(10)
    expect(heard).toEqual([])
    one.close()
    two.close()
  })

  test('agree on a claim: the highest rank, and never two', async () => {
    const tabs = Array.from({ length: 5 }, () => new Tabs('claims', () => {}))
    for (let round = 0; round < 50; round++) {
      const claims = tabs.map(async (tab, index) => {
        await new Promise(resolve => setTimeout(resolve, (round * 7 * index) % 200))
        return tab.claim(`round ${round}`, index === 3 && round === 0 ? 1 : 0, 10_000)
      })
      await vi.advanceTimersByTimeAsync(1000)
      const won = await Promise.all(claims)
      expect(won.filter(Boolean)).toHaveLength(1)
      if (round === 0) expect(won[3]).toBe(true)
    }
    for (const tab of tabs) tab.close()
  })
})

describe('browser notifications', () => {
  test('are asked for at a call alone, and shown once, while nobody looks', async () => {
    const storage = memory()
    const { manager, state } = await livePage(server, { storage })
    await livePage(server, { storage })
    expect(FakeNotification.requestPermission).not.toHaveBeenCalled()
    expect(state()).toMatchObject({ permission: 'default', browserNotifications: false })
    expect(await manager.askPermission()).toBe('granted')
    expect(state()).toMatchObject({ permission: 'granted', browserNotifications: true })
    look('visible')
    server.send()
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeNotification.shown).toHaveLength(0)
    look('hidden')
    server.send({ title: '<b>Two</b>' })
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeNotification.shown.map(({ title }) => title)).toEqual(['<b>Two</b>'])
    await manager.read('n000002')
    expect(FakeNotification.shown).toHaveLength(0)
    manager.setBrowserNotifications(false)
    server.send()
    await vi.advanceTimersByTimeAsync(500)
    expect(FakeNotification.shown).toHaveLength(0)
  })

  test('show a burst as one, and open what is clicked', async () => {
    look('hidden')
    FakeNotification.permission = 'granted'
    const opened: string[] = []
    await livePage(server, { onOpen: ({ id }) => opened.push(id) })
    server.send()
    await vi.advanceTimersByTimeAsync(300)
    FakeNotification.shown[0]?.onclick?.()
    expect(opened).toEqual(['n000001'])
    for (let n = 0; n < 5; n++) server.send()
    await vi.advanceTimersByTimeAsync(300)
    expect(FakeNotification.shown.map(({ title }) => title)).toEqual(['6 new notifications'])
  })

  test('that the browser does not know are unsupported', async () => {
    vi.stubGlobal('Notification', undefined)
    const { manager, state } = await livePage(server)
    expect(state().permission).toBe('unsupported')
    expect(await manager.askPermission()).toBe('unsupported')
  })
})

describe('toasts', () => {
  const row = (n: number) => ({ ...blank, id: `n${n}`, title: `Title ${n}` })
  const titles = (list: readonly Toast[]) => list.map(({ title }) => title)
  const make = () => {
    const burstTitle = (count: number) => `${count} new`
    return new Toasts({ duration: 6000, burstTitle }, () => {})
  }

  test('stand alone up to three, then together', () => {
    const toasts = make()
    for (let n = 1; n <= 3; n++) toasts.add([row(n)])
    expect(titles(toasts.all)).toEqual(['Title 1', 'Title 2', 'Title 3'])
    toasts.add([row(4)])
    expect(titles(toasts.all)).toEqual(['4 new'])
    vi.advanceTimersByTime(1500)
    toasts.add([row(5)])
    expect(titles(toasts.all)).toEqual(['5 new'])
    vi.advanceTimersByTime(2100)
    toasts.add([row(6)])
    expect(titles(toasts.all)).toEqual(['5 new', 'Title 6'])
    vi.advanceTimersByTime(6000)
    expect(toasts.all).toEqual([])
  })

  test('that were taken away are no part of what comes together', () => {
    const toasts = make()
    for (let n = 1; n <= 3; n++) toasts.add([row(n)])
    toasts.dismiss()
    toasts.add([row(4)])
    expect(titles(toasts.all)).toEqual(['Title 4'])
    toasts.add([5, 6, 7].map(row))
    expect(titles(toasts.all)).toEqual(['4 new'])
    toasts.dismiss()
    toasts.add([row(8)])
    expect(titles(toasts.all)).toEqual(['Title 8'])
  })

  test('of many at once are one', () => {
    const toasts = make()
    const [toast] = toasts.add([1, 2, 3, 4, 5].map(row))
    expect(toast).toMatchObject({ title: '5 new' })
    expect(toast?.notifications[0]?.id).toBe('n5')
  })

  test('are reported to a page without a framework', async () => {
    const seen: Toast[] = []
    const { state } = await livePage(server, { onToast: toast => seen.push(toast), toasts: false })
    for (let n = 0; n < 4; n++) server.send()
    expect(titles(seen).at(-1)).toBe('4 new notifications')
    expect(seen.at(-1)?.replaces).toContain('n000001')
    expect(state().toasts).toEqual([])
  })
})

test('mute is kept, and a storage that fails does no harm', async () => {
  const storage = memory()
  const first = await livePage(server, { storage })
  first.manager.setMuted(true)
  const second = await livePage(server, { storage })
  expect(second.state().muted).toBe(true)
  const refuse = () => {
    throw new Error('not allowed')
  }
  const third = await livePage(server, { storage: { getItem: refuse, setItem: refuse } })
  third.manager.setMuted(true)
  expect(third.state().muted).toBe(true)
})

test('the built-in sound waits for somebody to use the page', async () => {
  const started: number[] = []
  class FakeAudio {
    state = 'suspended'
    currentTime = 0
    destination = {}
    createGain = () => ({
      connect: () => {},
      gain: { setValueAtTime: () => {}, exponentialRampToValueAtTime: () => {} },
    })
    createOscillator = () => ({
      frequency: { value: 0 },
      connect: () => {},
      start: (at: number) => started.push(at),
      stop: () => {},
    })
    resume = async () => {
      this.state = 'running'
    }
    close = async () => {}
  }
  vi.stubGlobal('AudioContext', FakeAudio)
  await livePage(server, { sound: true })
  server.send()
  await vi.advanceTimersByTimeAsync(3000)
  expect(started).toEqual([])
  globalThis.dispatchEvent(new Event('pointerdown'))
  server.send()
  await vi.advanceTimersByTimeAsync(3000)
  expect(started).toHaveLength(2) // two tones make the sound
})
