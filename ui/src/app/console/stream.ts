import { base } from '../../base'
import { type Params, withParams } from './api'
import type { Entry, Overview, PayloadViews, Problem, Sampled } from './model'

/** How the stream is: on its way, open, lost for now, or closed for good. */
export type StreamState = 'opening' | 'open' | 'lost' | 'closed'

/** What a stream tells. */
export interface Listener {
  entries?: (entries: readonly Entry[]) => void
  sampled?: (sampled: Sampled) => void
  overview?: (overview: Overview) => void
  degraded?: (problems: readonly Problem[]) => void
  payloads?: (payloads: PayloadViews) => void
  state?: (state: StreamState) => void
  /** The server ended it, or let nobody in: "role", "shutdown" or "refused". */
  bye?: (reason: string) => void
}

const firstWait = 1000
const longestWait = 15_000

/**
 * The one stream of the console's pages, since a browser opens few connections to
 * a server. want says which entries it is to bring. A stream that is lost is
 * opened anew, with growing waits, until close.
 */
export class ConsoleStream {
  #listeners = new Set<Listener>()
  #source: EventSource | undefined
  #params: Params
  #timer: number | undefined
  #tries = 0
  state: StreamState = 'opening'
  overview: Overview | undefined
  payloads: PayloadViews = { allowed: false, views: [] }

  constructor(params: Params) {
    this.#params = params
  }

  /** Hears what comes, until what is returned is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Opens the stream, or opens it anew for other entries. */
  want(params: Params): void {
    this.#params = params
    this.open()
  }

  open(): void {
    this.close(this.#tries > 0 ? 'lost' : 'opening') // a try is no news
    const source = new EventSource(base + withParams('stream', { ...this.#params, overview: '1' }))
    this.#source = source
    source.onopen = () => {
      this.#tries = 0
      this.#become('open')
    }
    source.onerror = () => {
      // It would try again by itself, but never after an answer that says no.
      this.close('lost')
      this.#tell('bye', 'refused')
      this.#later()
    }
    this.#hear(source, 'entry', data => this.#tell('entries', data as readonly Entry[]))
    this.#hear(source, 'sampled', data => this.#tell('sampled', data as Sampled))
    this.#hear(source, 'degraded', data => this.#tell('degraded', data as readonly Problem[]))
    this.#hear(source, 'overview', data => {
      this.overview = data as Overview
      this.#tell('overview', this.overview)
    })
    this.#hear(source, 'payloads', data => {
      this.payloads = data as PayloadViews
      this.#tell('payloads', this.payloads)
    })
    this.#hear(source, 'bye', data => {
      const { reason } = data as { reason: string }
      if (reason === 'shutdown' && this.overview !== undefined) {
        // The last that is known of it, until the stream is back.
        this.overview = { ...this.overview, ready: false }
        this.#tell('overview', this.overview)
      }
      this.close('lost')
      this.#tell('bye', reason)
      this.#later()
    })
  }

  close(state: StreamState = 'closed'): void {
    window.clearTimeout(this.#timer)
    this.#source?.close()
    this.#source = undefined
    this.#become(state)
  }

  #later(): void {
    const wait = Math.min(longestWait, firstWait * 2 ** this.#tries++)
    this.#timer = window.setTimeout(() => this.open(), wait * (0.75 + 0.5 * Math.random()))
  }

  #hear(source: EventSource, name: string, take: (data: unknown) => void): void {
    source.addEventListener(name, event => {
      if (this.#source === source) take(JSON.parse((event as MessageEvent<string>).data))
    })
  }

  #become(state: StreamState): void {
    if (this.state === state) return
    this.state = state
    this.#tell('state', state)
  }

  #tell<Name extends keyof Listener>(
    name: Name,
    value: Parameters<NonNullable<Listener[Name]>>[0],
  ): void {
    for (const listener of [...this.#listeners]) {
      ;(listener[name] as ((one: typeof value) => void) | undefined)?.(value)
    }
  }
}
