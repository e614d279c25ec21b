import { setTimeout as after } from 'node:timers/promises'

/**
 * A record of things as they happen, and a way to wait for one of them. A wait
 * looks at what has been recorded before as well, so nothing is missed by
 * asking late.
 *
 * @template T
 */
export class Tape {
  /** @type {T[]} */
  items = []
  /** @type {Set<() => void>} */
  #waiting = new Set()

  /** @param {T} item */
  push(item) {
    this.items.push(item)
    for (const look of [...this.#waiting]) look()
  }

  /**
   * Gives the first item that matches, waiting for it at most ms milliseconds.
   *
   * @param {(item: T) => boolean} match
   * @param {string} what named in the error
   * @param {{from?: number, ms?: number}} [options] from: the index to begin at
   * @returns {Promise<T>}
   */
  async find(match, what, { from = 0, ms = 10_000 } = {}) {
    const abort = new AbortController()
    /** @type {(() => void) | undefined} */
    let look
    try {
      return await Promise.race([
        new Promise(resolve => {
          look = () => {
            const at = this.items.findIndex((item, index) => index >= from && match(item))
            if (at >= 0) resolve(/** @type {T} */ (this.items[at]))
          }
          this.#waiting.add(look)
          look()
        }),
        after(ms, undefined, { signal: abort.signal }).then(() => {
          throw new Error(`waited ${ms} ms for ${what}; recorded: ${JSON.stringify(this.items)}`)
        }),
      ])
    } finally {
      abort.abort()
      if (look) this.#waiting.delete(look)
    }
  }

  /**
   * Waits until count items match, and gives them.
   *
   * @param {(item: T) => boolean} match
   * @param {number} count
   * @param {string} what
   */
  async collect(match, count, what) {
    await this.find(() => this.items.filter(match).length >= count, `${count} × ${what}`)
    return this.items.filter(match)
  }
}
