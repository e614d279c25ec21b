import { vi } from 'vitest'
import { NotificationManager } from '../src/manager.js'
import type { NotificationOptions } from '../src/options.js'
import type { NotificationState } from '../src/state.js'
import type { Server } from './server.js'
import { Socket } from './socket.js'

const open: NotificationManager[] = []

/** A page with a manager on the model server, and a socket unless told otherwise. */
export function page(server: Server, options: NotificationOptions = {}, socket = new Socket()) {
  socket.follow(server)
  const manager = new NotificationManager({
    userId: '7',
    fetch: server.fetch as typeof fetch,
    pusher: socket,
    sound: false,
    storage: memory(),
    ...options,
  })
  open.push(manager)
  manager.start()
  return { manager, socket, state: () => manager.getState() }
}

/** A page that is live and has loaded its list. */
export async function livePage(server: Server, options: NotificationOptions = {}) {
  const made = page(server, options)
  made.socket.move('connected')
  await settled()
  return made
}

export function closePages(): void {
  for (const manager of open.splice(0)) manager.destroy()
}

/** Lets all that is under way end, without the time going on. */
export async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

/** A storage of its own. */
export function memory(): Pick<Storage, 'getItem' | 'setItem'> {
  const kept = new Map<string, string>()
  return {
    getItem: key => kept.get(key) ?? null,
    setItem: (key, value) => {
      kept.set(key, value)
    },
  }
}

export function ids(state: NotificationState): string[] {
  return state.notifications.map(({ id }) => id)
}
