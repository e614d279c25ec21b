import type { Entry, Sampled } from '../model'
import { keyOf } from './keyOf'

/** An entry with the number that it got here. */
export interface Row {
  readonly n: number
  readonly entry: Entry
}

/** The log as a page shows it. */
export interface Pages {
  /** The oldest first. */
  readonly rows: readonly Row[]
  readonly paused: boolean
  /** How many came since the pause. */
  readonly held: number
  /** What was not shown lately; undefined while all is. */
  readonly sampled: Sampled | undefined
}

/** How many entries are kept on show. */
export const most = 2000

/**
 * Collects entries and shows them once for each frame of the browser, however
 * many batches came in between. It holds them back while paused.
 */
export class LogBook {
  #listeners = new Set<() => void>()
  #waiting: Row[] = []
  #frame = 0
  #n = 0
  #sampledAt = 0
  pages: Pages = { rows: [], paused: false, held: 0, sampled: undefined }

  listen = (changed: () => void): (() => void) => {
    this.#listeners.add(changed)
    return () => this.#listeners.delete(changed)
  }

  read = (): Pages => this.pages

  /** Takes entries as they come. */
  add(entries: readonly Entry[]): void {
    for (const entry of entries) this.#waiting.push({ n: this.#n++, entry })
    if (this.#waiting.length > most) this.#waiting = this.#waiting.slice(-most)
    if (this.pages.paused) this.#hold(entries.length)
    else this.#soon()
  }

  /** Takes what was there before, the newest first. */
  fill(entries: readonly Entry[]): void {
    const known = new Set([...this.pages.rows, ...this.#waiting].map(({ entry }) => keyOf(entry)))
    const older = entries.filter(entry => !known.has(keyOf(entry)))
    // Numbers grow with time; those of the past are below zero.
    const rows = older.map((entry, index) => ({ n: -1 - index, entry })).reverse()
    this.#show({ ...this.pages, rows: [...rows, ...this.pages.rows].slice(-most) })
  }

  /** Notes that not all is shown. */
  sample(sampled: Sampled): void {
    this.#sampledAt = performance.now()
    this.#show({ ...this.pages, sampled })
  }

  /** Forgets that not all was shown, once that is over. */
  settle(): void {
    if (this.pages.sampled !== undefined && performance.now() - this.#sampledAt > 2500) {
      this.#show({ ...this.pages, sampled: undefined })
    }
  }

  pause(): void {
    if (!this.pages.paused) this.#show({ ...this.pages, paused: true, held: 0 })
  }

  resume(): void {
    this.#show({ ...this.pages, paused: false, held: 0 })
    this.#soon()
  }

  clear(): void {
    this.#waiting = []
    this.#show({ ...this.pages, rows: [], held: 0, sampled: undefined })
  }

  /** Ends what was asked of the browser. */
  end(): void {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
  }

  #hold(more: number): void {
    this.#show({ ...this.pages, held: this.pages.held + more })
  }

  #soon(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      if (this.pages.paused || this.#waiting.length === 0) return
      const rows = [...this.pages.rows, ...this.#waiting].slice(-most)
      this.#waiting = []
      this.#show({ ...this.pages, rows })
    })
  }

  #show(pages: Pages): void {
    this.pages = pages
    for (const changed of this.#listeners) changed()
  }
}
