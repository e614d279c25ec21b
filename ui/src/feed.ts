import { byId, make } from './dom'
import type { LiveEvent } from './live'

/** How many events stay on the page. */
const kept = 200

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  fractionalSecondDigits: 3,
  hourCycle: 'h23',
})

/** The list of events, newest first, painted once a frame however fast they come. */
export class Feed {
  readonly #list = byId('feed', HTMLOListElement)
  readonly #empty = byId('empty', HTMLElement)
  readonly #emptyText = byId('empty-text', HTMLElement)
  readonly #count = byId('count', HTMLElement)
  readonly #clear = byId('clear', HTMLButtonElement)
  #pending: LiveEvent[] = []
  #total = 0

  constructor() {
    this.#clear.addEventListener('click', () => this.#reset())
  }

  /** Shows an event soon. */
  add(event: LiveEvent): void {
    this.#total++
    this.#pending.push(event)
    if (this.#pending.length === 1) requestAnimationFrame(() => this.#paint())
    // A hidden tab paints nothing, so what waits is bounded too.
    if (this.#pending.length > kept) this.#pending.splice(1, this.#pending.length - kept)
  }

  /** Says what is being waited for while there is nothing to show. */
  expect(text: string): void {
    this.#emptyText.textContent = text
  }

  #paint(): void {
    const rows = this.#pending.reverse().map(row)
    this.#pending = []
    this.#list.prepend(...rows)
    while (this.#list.childElementCount > kept) this.#list.lastElementChild?.remove()
    this.#note()
  }

  #reset(): void {
    this.#list.replaceChildren()
    this.#total = 0
    this.#note()
  }

  #note(): void {
    const shown = this.#list.childElementCount
    this.#empty.hidden = shown > 0
    this.#clear.hidden = shown === 0
    this.#count.textContent =
      this.#total > kept
        ? `${this.#total}, the latest ${kept} shown`
        : this.#total
          ? `${this.#total}`
          : ''
  }
}

function row(event: LiveEvent): HTMLLIElement {
  const data = pretty(event.data)
  const from =
    event.userId === undefined ? [] : [make('span', { class: 'from' }, `from ${event.userId}`)]
  return make(
    'li',
    { class: event.name.startsWith('pusher:') ? 'event own' : 'event' },
    make(
      'div',
      { class: 'event-head' },
      make('strong', { class: 'name' }, event.name),
      make('span', { class: 'on' }, event.channel),
      ...from,
      make('time', { datetime: event.at.toISOString() }, clock.format(event.at)),
    ),
    ...(data === '' ? [] : [make('pre', { class: 'data', tabindex: '0' }, data)]),
  )
}

/** Data as text: objects laid out, strings as they are. */
function pretty(data: unknown): string {
  if (data === undefined) return ''
  return typeof data === 'string' ? data : JSON.stringify(data, null, 2)
}
