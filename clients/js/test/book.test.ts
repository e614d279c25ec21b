import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Book } from '../src/book.js'
import { type Change, type Notification, readEvent } from '../src/notification.js'
import { blank, type Event, Server } from './server.js'

const now = Date.parse('2026-11-20T12:00:00Z')

/** Puts an event in the book as the manager does. */
function hear(book: Book, { name, data }: Event): void {
  const event = readEvent(name, data, '7')
  if (!event?.standing) throw new Error(`not an event: ${name}`)
  const version = event.standing.state_version
  if (event.kind === 'sent') book.add([event.row])
  else if (event.kind === 'read') book.mark(event.change, event.ids, version, 'now')
  else book.remove(event.ids, version)
  book.count(event.standing, now)
  book.saw(version)
}

/** Numbers below a bound that follow from a seed. */
function dice(seed: number): (bound: number) => number {
  let state = seed
  return bound => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

function shuffled<T>(items: readonly T[], roll: (bound: number) => number): T[] {
  const rest = [...items]
  return items.map(() => rest.splice(roll(rest.length), 1)[0] as T)
}

/** What of the rows a page shows. */
function facts(rows: readonly Notification[]): string[] {
  return rows.map(row => `${row.id} ${row.title} ${row.read_at === null ? 'unread' : 'read'}`)
}

type Step =
  | { do: 'send' | 'readAll' }
  | { do: 'change'; row: number; change: Change }
  | { do: 'remove'; row: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'send' }) },
  fc.constant<Step>({ do: 'readAll' }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('change' as const),
      row: fc.nat(3),
      change: fc.constantFrom<Change>('read', 'unread', 'dismissed', 'archived'),
    }),
  },
  fc.record({ do: fc.constant('remove' as const), row: fc.nat(3) }),
)

function take(server: Server, todo: Step): Event | undefined {
  if (!('row' in todo)) return todo.do === 'send' ? server.send({}, now) : server.readAll()
  const id = [...server.rows.keys()][todo.row]
  if (id === undefined) return undefined
  return 'change' in todo ? server.change(id, todo.change) : server.remove(id)
}

describe('shuffled and doubled events', () => {
  test('end with the list and the count of the server', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), fc.nat(), (steps, seed) => {
        const server = new Server()
        const events = steps.map(todo => take(server, todo)).filter(event => event !== undefined)
        // Each event twice, in whichever order.
        const book = new Book()
        for (const event of shuffled([...events, ...events], dice(seed))) hear(book, event)
        const view = book.view(now)
        expect(view.unreadCount).toBe(server.unread)
        expect(facts(view.notifications)).toEqual(facts(server.shown()))
        expect(book.version).toBe(events.length > 0 ? server.version : 0)
      }),
      { numRuns: 500 },
    )
  })

  test('end right when some are lost and asked for, and pages overtake events', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ step, lost: fc.boolean(), page: fc.nat(9) }), {
          maxLength: 30,
          size: 'max',
        }),
        fc.nat(),
        async (steps, seed) => {
          const server = new Server()
          const book = new Book()
          const late: (() => void)[] = []
          const roll = dice(seed)
          for (const { step: todo, lost, page } of steps) {
            const event = take(server, todo)
            if (event && !lost) late.push(() => hear(book, event))
            if (page === 0) {
              const answer = await ask(server, '?limit=100')
              late.push(() => {
                book.add(answer.notifications)
                book.count(answer, now)
              })
            }
            if (roll(2) === 0 && late.length > 0) late.splice(roll(late.length), 1)[0]?.()
          }
          // Back again: what was missed, then the rest of what was under way.
          const missed = await ask(server, `?since=${book.complete}&limit=100`)
          book.add(missed.notifications)
          book.remove(missed.removed, missed.state_version)
          book.count(missed, now)
          book.settle(missed.state_version)
          for (const deliver of shuffled(late, roll)) deliver()
          expect(book.gap).toBe(false)
          const view = book.view(now)
          expect(view.unreadCount).toBe(server.unread)
          expect(facts(view.notifications)).toEqual(facts(server.shown()))
        },
      ),
      { numRuns: 300 },
    )
  })
})

async function ask(server: Server, query: string) {
  const response = await server.fetch(`/api/user/notifications${query}`)
  return (await response.json()) as {
    notifications: Notification[]
    removed: string[]
    unread_count: number
    state_version: number
  }
}

describe('unanswered changes', () => {
  const rows = ['a', 'b', 'c'].map((id, index) => ({ ...blank, id, version: index + 1 }))
  const filled = () => {
    const book = new Book()
    book.add(rows)
    book.count({ unread_count: 5, state_version: 3 }, now)
    return book
  }

  test('show at once, one after the other, and go without a trace', () => {
    const book = filled()
    const read = book.begin('read', ['a'], 'now')
    expect(book.view(now).unreadCount).toBe(4)
    const again = book.begin('read', ['a'], 'now')
    expect(book.view(now).unreadCount).toBe(4)
    const unread = book.begin('unread', ['a'], 'now')
    expect(book.view(now).unreadCount).toBe(5)
    const dismissed = book.begin('dismissed', ['b'], 'now')
    expect(book.view(now).notifications.map(({ id }) => id)).toEqual(['c', 'a'])
    for (const pending of [read, again, unread, dismissed]) book.end(pending)
    expect(book.view(now)).toEqual(filled().view(now))
  })

  test('"read all" counts what came after it', () => {
    const book = filled()
    const all = book.begin('read', undefined, 'now')
    expect(book.view(now).unreadCount).toBe(0)
    book.add([{ ...blank, id: 'd', version: 4 }])
    book.count({ unread_count: 6, state_version: 4 }, now)
    expect(book.view(now).unreadCount).toBe(1)
    book.end(all)
    expect(book.view(now).unreadCount).toBe(6)
  })
})

test('what expires vanishes, and the count with it until the server counts', () => {
  const book = new Book()
  const expires_at = new Date(now + 1000).toISOString()
  book.add([
    { ...blank, id: 'a', version: 1, expires_at },
    { ...blank, id: 'b', version: 2 },
  ])
  book.count({ unread_count: 2, state_version: 2 }, now)
  expect(book.view(now).nextExpiry).toBe(now + 1000)
  expect(book.view(now + 1000)).toMatchObject({ unreadCount: 1, notifications: [{ id: 'b' }] })
  book.count({ unread_count: 1, state_version: 2 }, now + 1500)
  expect(book.view(now + 1500).unreadCount).toBe(1)
})

test('ids without a row do not pile up', () => {
  const book = new Book()
  for (let n = 0; n < 20_000; n++) book.mark('read', [`x${n}`], n + 1, 'now')
  // The marks of the latest are kept, those of the first are not.
  const fresh = book.add([
    { ...blank, id: 'x0', version: 0 },
    { ...blank, id: 'x19999', version: 0 },
  ])
  expect(fresh.map(row => row.read_at)).toEqual([null, 'now'])
})

test('a view of 10,000 rows is made in little time', () => {
  const book = new Book()
  book.add(
    Array.from({ length: 10_000 }, (_, n) => ({
      ...blank,
      id: String(n),
      version: n,
      sent_at: new Date(now + n * 1000).toISOString(),
    })),
  )
  const start = performance.now()
  const { notifications } = book.view(now)
  expect(performance.now() - start).toBeLessThan(1000) // some 10 ms on a quiet machine
  expect(notifications[0]?.id).toBe('9999')
})
