import { act, type ReactNode, StrictMode, version } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { NotificationManager } from '../../src/manager.js'
import {
  NotificationBell,
  NotificationProvider,
  NotificationToasts,
  useNotificationManager,
  useNotifications,
} from '../../src/react/index.js'
import { closePages, livePage, memory } from '../page.js'
import { Server } from '../server.js'
import { Socket } from '../socket.js'

let server: Server
let root: Root
let place: HTMLElement

beforeEach(() => {
  ;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  server = new Server()
  place = document.body.appendChild(document.createElement('div'))
  root = createRoot(place)
})
afterEach(() => {
  act(() => root.unmount())
  place.remove()
  closePages()
  vi.useRealTimers()
})

async function show(content: ReactNode): Promise<void> {
  await act(async () => root.render(content))
}

/** A live page with a bell and toasts. */
async function bell(props: Parameters<typeof NotificationBell>[0] = {}) {
  const made = await livePage(server, { toasts: { duration: 0 } })
  await show(
    <NotificationProvider manager={made.manager}>
      <NotificationBell {...props} />
      <NotificationToasts />
    </NotificationProvider>,
  )
  return made
}

const find = (selector: string) => place.querySelector<HTMLElement>(selector)
const all = (selector: string) => [...place.querySelectorAll<HTMLElement>(selector)]
const button = () => find('.belfry-bell-button') as HTMLButtonElement

async function click(element: HTMLElement | null | undefined): Promise<void> {
  if (!element) throw new Error('nothing to click')
  await act(async () => element.click())
}

async function press(key: string): Promise<void> {
  await act(async () => {
    const target = document.activeElement ?? document.body
    target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  })
}

test('these are the versions meant', () => {
  expect(['18', '19']).toContain(version.split('.')[0])
})

describe('the bell', () => {
  test('has its count in its name', async () => {
    await bell()
    expect(button().getAttribute('aria-label')).toBe('Notifications, none unread')
    await act(async () => {
      server.send()
      server.send()
    })
    expect(button().getAttribute('aria-label')).toBe('Notifications, 2 unread')
    expect(find('.belfry-bell-count')?.textContent).toBe('2')
    expect(find('[role=status]')?.textContent).toBe('Title n000002')
  })

  test('shows HTML as text', async () => {
    server.send({ title: '<img src=x onerror=alert(1)>', message: '<script>alert(1)</script>' })
    await bell()
    await act(async () => {
      server.send({ title: '<b>bold</b>', action_url: 'javascript:alert(1)' })
    })
    await click(button())
    expect(place.querySelectorAll('img, script, b, a')).toHaveLength(0)
    expect(find('.belfry-list')?.textContent).toContain('<script>alert(1)</script>')
    expect(find('.belfry-toast')?.textContent).toContain('<b>bold</b>')
  })

  test('opens a list that keys move in, and gives the focus back', async () => {
    for (let n = 0; n < 3; n++) server.send()
    await bell()
    button().focus()
    await press('ArrowDown')
    expect(button().getAttribute('aria-expanded')).toBe('true')
    expect(button().getAttribute('aria-controls')).toBe(find('.belfry-panel')?.id)
    const items = all('.belfry-item')
    for (const [key, index] of [
      ['ArrowDown', 0],
      ['ArrowDown', 1],
      ['ArrowUp', 0],
      ['End', 2],
      ['ArrowDown', 2],
      ['Home', 0],
    ] as const) {
      await press(key)
      expect(document.activeElement).toBe(items[index])
    }
    await press('Escape')
    expect(find('.belfry-panel')).toBeNull()
    expect(document.activeElement).toBe(button())
  })

  test('closes at a click elsewhere', async () => {
    await bell()
    await click(button())
    expect(find('.belfry-panel')?.textContent).toContain('Nothing here yet')
    await act(async () => {
      document.body.dispatchEvent(new Event('pointerdown', { bubbles: true }))
    })
    expect(find('.belfry-panel')).toBeNull()
  })

  test('reads what is chosen, dismisses, and keeps the focus in the list', async () => {
    for (let n = 0; n < 3; n++) server.send({ action_url: n === 0 ? '/first' : '' })
    const opened: string[] = []
    await bell({ onOpen: ({ id }) => opened.push(id) })
    await click(button())
    expect(all('.belfry-item').map(item => item.tagName)).toEqual(['BUTTON', 'BUTTON', 'A'])
    await click(all('.belfry-item')[2])
    expect(opened).toEqual(['n000001'])
    expect(server.rows.get('n000001')?.read_at).not.toBeNull()
    expect(find('.belfry-panel')).toBeNull()
    expect(document.activeElement).toBe(button())
    await click(button())
    await click(all('.belfry-dismiss')[0])
    expect(all('.belfry-item')).toHaveLength(2)
    expect(document.activeElement).toBe(all('.belfry-item')[0])
    await click(find('.belfry-panel-head button'))
    expect(button().getAttribute('aria-label')).toBe('Notifications, none unread')
  })

  test('leaves a link to the browser that was asked for a new tab', async () => {
    server.send({ action_url: '/first' })
    const opened: string[] = []
    await bell({ onOpen: ({ id }) => opened.push(id) })
    await click(button())
    const press = new MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey: true })
    await act(async () => find('.belfry-item')?.dispatchEvent(press))
    expect(press.defaultPrevented).toBe(false)
    expect(opened).toEqual([])
    expect(find('.belfry-panel')).not.toBeNull()
  })

  test('gives its foot a way to close it', async () => {
    await bell({
      footer: close => (
        <button type="button" id="foot" onClick={close}>
          All
        </button>
      ),
    })
    await click(button())
    await click(find('#foot'))
    expect(find('.belfry-panel')).toBeNull()
  })

  test('says what failed, and that it is not live', async () => {
    server.send()
    const { manager, socket } = await bell()
    await click(button())
    server.faults.push(Response.json({ error: 'the server is busy' }, { status: 503 }))
    // The token is asked for first where the cookie is missing.
    server.faults.unshift(Response.json({}))
    await act(async () => {
      await manager.dismiss('n000001')
    })
    expect(find('[role=alert]')?.textContent).toBe('the server is busy')
    await act(async () => {
      socket.move('unavailable')
      await vi.advanceTimersByTimeAsync(3100)
    })
    expect(find('.belfry-note')?.textContent).toContain('Live updates are away')
  })

  test('loads more, mutes, and takes toasts away', async () => {
    for (let n = 0; n < 30; n++) server.send({}, Date.now() + n)
    const { state } = await bell()
    await act(async () => {
      server.send({}, Date.now() + 100)
    })
    await click(button())
    await click(find('.belfry-more'))
    expect(all('.belfry-item')).toHaveLength(31)
    const mute = find('[aria-pressed]')
    await click(mute)
    expect(mute?.getAttribute('aria-pressed')).toBe('true')
    expect(state().muted).toBe(true)
    expect(all('.belfry-toast')).toHaveLength(1)
    await click(find('.belfry-toast .belfry-dismiss'))
    expect(all('.belfry-toast')).toHaveLength(0)
  })
})

describe('the toasts', () => {
  test('open what has no link of its own, and bursts', async () => {
    const { manager } = await livePage(server, { toasts: { duration: 0 } })
    const opened: string[] = []
    await show(
      <NotificationToasts
        manager={manager}
        onOpen={({ id }) => opened.push(id)}
        onOpenAll={() => opened.push('all')}
      />,
    )
    await act(async () => {
      server.send()
    })
    await click(find('.belfry-toast .belfry-item-action'))
    expect(opened).toEqual(['n000001'])
    expect(server.rows.get('n000001')?.read_at).not.toBeNull()
    expect(all('.belfry-toast')).toHaveLength(0)
    await act(async () => {
      for (let n = 0; n < 5; n++) server.send()
    })
    await click(find('.belfry-toast .belfry-item-action'))
    expect(opened).toEqual(['n000001', 'all'])
    expect(all('.belfry-toast')).toHaveLength(0)
  })
})

describe('the hooks', () => {
  test('make a manager that outlives strict mode and ends with the component', async () => {
    const socket = new Socket().follow(server)
    server.send()
    let made: NotificationManager | undefined
    const Counter = () => <p>{useNotifications(made).unreadCount}</p>
    const App = () => {
      made = useNotificationManager({
        userId: '7',
        fetch: server.fetch as typeof fetch,
        pusher: socket,
        sound: false,
        storage: memory(),
      })
      return <Counter />
    }
    await show(
      <StrictMode>
        <App />
      </StrictMode>,
    )
    await act(async () => {
      socket.move('connected')
      await vi.advanceTimersByTimeAsync(0)
    })
    expect(place.textContent).toBe('1')
    await act(async () => {
      server.send()
    })
    expect(place.textContent).toBe('2')
    await show(null)
    expect(socket.connection.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('give all components of a page the same state', async () => {
    const { manager } = await livePage(server)
    const seen: string[] = []
    const Part = () => String(useNotifications(manager).unreadCount)
    const Whole = () => {
      const parts = [useNotifications(manager).unreadCount, useNotifications(manager).unreadCount]
      seen.push(parts.join())
      return (
        <p>
          <Part />
          <Part />
        </p>
      )
    }
    await show(<Whole />)
    await act(async () => {
      server.send()
    })
    expect(place.textContent).toBe('11')
    expect(seen.every(pair => pair === '0,0' || pair === '1,1')).toBe(true)
  })

  test('say what is missing', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    const Part = () => useNotifications().unreadCount
    await expect(show(<Part />)).rejects.toThrow('NotificationProvider')
  })
})
