import { act, type ReactNode, StrictMode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  type UseDashboard,
  type UseDashboardOptions,
  useDashboardEcho,
  useDashboardSocket,
} from '../../src/dashboard/index.js'
import { Dashboards } from '../dashboards.js'
import { Socket } from '../socket.js'

interface Stats {
  checkins: number
}

let server: Dashboards
let socket: Socket
let root: Root
let place: HTMLElement
let board: UseDashboard<Stats>

beforeEach(() => {
  ;(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true
  vi.useFakeTimers({ now: Date.parse('2026-11-20T12:00:00Z') })
  server = new Dashboards()
  socket = new Socket()
  server.onEvent = event => socket.deliver(event)
  place = document.body.appendChild(document.createElement('div'))
  root = createRoot(place)
})
afterEach(() => {
  act(() => root.unmount())
  place.remove()
  vi.useRealTimers()
})

function Board(props: UseDashboardOptions): ReactNode {
  board = useDashboardEcho<Stats>({
    fetch: server.fetch as typeof fetch,
    pusher: socket,
    ...props,
  })
  return <output>{board.stats?.checkins ?? '–'}</output>
}

async function show(props: UseDashboardOptions = {}): Promise<void> {
  await act(async () => {
    root.render(
      <StrictMode>
        <Board {...props} />
      </StrictMode>,
    )
    await vi.advanceTimersByTimeAsync(0)
  })
}

async function live(props: UseDashboardOptions = {}): Promise<void> {
  socket.move('connected')
  await show(props)
}

test('the hook shows figures, follows events, and ends with its component', async () => {
  await live()
  expect(board).toMatchObject({ connected: true, range: 'this_week', stats: { checkins: 0 } })
  await act(async () => {
    await vi.advanceTimersByTimeAsync(10)
    server.change()
  })
  expect(place.textContent).toBe('1')
  expect(board.lastUpdate).toEqual(new Date())
  await act(async () => root.render(null))
  expect(socket.channels.size).toBe(0)
  const before = server.requests.length
  await vi.advanceTimersByTimeAsync(60_000)
  expect(server.requests).toHaveLength(before)
})

test('its callbacks are the latest, and its functions stay the same', async () => {
  const first = vi.fn()
  const second = vi.fn()
  await live({ onStatsUpdate: first })
  const { setRange, refresh, connect } = board
  await show({ onStatsUpdate: second })
  first.mockClear()
  await act(async () => {
    await vi.advanceTimersByTimeAsync(10)
    server.change()
  })
  expect(first).not.toHaveBeenCalled()
  expect(second).toHaveBeenCalledWith(
    expect.objectContaining({ checkins: 1 }),
    expect.objectContaining({ reason: 'checkin 1' }),
  )
  expect(board).toMatchObject({ setRange, refresh, connect })
})

test('a range, and another dashboard', async () => {
  await live({ initialRange: 'today' })
  expect(board.range).toBe('today')
  await act(async () => {
    board.setRange('last_week')
    await vi.advanceTimersByTimeAsync(0)
  })
  expect(board).toMatchObject({ range: 'last_week', stats: { range: 'last_week' } })
  await show({ initialRange: 'today', dashboard: 'other' })
  expect(board).toMatchObject({ range: 'today' })
})

test('autoConnect: false waits for connect', async () => {
  const onConnectionChange = vi.fn()
  await live({ autoConnect: false, onConnectionChange })
  expect(server.requests).toHaveLength(0)
  expect(board).toMatchObject({ connected: false, stats: null, lastUpdate: null })
  await act(async () => {
    board.connect()
    await vi.advanceTimersByTimeAsync(0)
  })
  expect(board.connected).toBe(true)
  expect(onConnectionChange).toHaveBeenCalledExactlyOnceWith(true, 'live')
  await act(async () => board.disconnect())
  expect(board.connected).toBe(false)
  expect(onConnectionChange).toHaveBeenLastCalledWith(false, 'offline')
})

test('the older name is the same hook', () => {
  expect(useDashboardSocket).toBe(useDashboardEcho)
})
