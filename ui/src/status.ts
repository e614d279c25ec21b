import { byId } from './dom'
import type { Fault, State } from './live'

const words: Readonly<Record<State, string>> = {
  initialized: 'Starting',
  connecting: 'Connecting',
  connected: 'Connected',
  unavailable: 'Server not reachable, trying again',
  disconnected: 'Disconnected',
  failed: 'This browser has no WebSocket',
}

/** The lamp in the header, and the banner for what needs the visitor. */
export class Status {
  readonly #box = byId('state', HTMLElement)
  readonly #text = byId('state-text', HTMLElement)
  readonly #reconnect = byId('reconnect', HTMLButtonElement)
  readonly #banner = byId('banner', HTMLElement)
  #wasConnected = false
  #refused: Fault | undefined

  /** connect is called when the visitor asks for it after a refusal. */
  constructor(connect: () => void) {
    this.#reconnect.addEventListener('click', () => {
      // The app may have another key by now: ask the server anew.
      if (this.#refused?.code === 4001) location.reload()
      else connect()
    })
  }

  /** Shows the state of the connection. */
  state(state: State): void {
    if (state === 'connected') {
      this.#wasConnected = true
      this.#refused = undefined
      this.banner('')
    }
    this.#box.dataset['state'] = state
    this.#text.textContent =
      state === 'connecting' && this.#wasConnected ? 'Connecting again' : words[state]
    this.#reconnect.hidden = state !== 'disconnected'
  }

  /** Keeps a refusal on show; what pusher-js mends by itself needs no banner. */
  fault(fault: Fault): void {
    if (fault.code === undefined || fault.code < 4000 || fault.code >= 4100) return
    this.#refused = fault
    this.banner(
      fault.code === 4001
        ? `The server no longer knows this app’s key (4001). Connect again to read its settings anew.`
        : `The server closed the connection with code ${fault.code}: ${fault.message}`,
    )
  }

  /** Shows a sentence above everything, or nothing. */
  banner(text: string): void {
    this.#banner.textContent = text
    this.#banner.hidden = text === ''
  }
}
