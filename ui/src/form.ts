import { byId } from './dom'
import type { Refusal } from './request'

/**
 * A form whose fields each have an input #name and a note #name-note, with a
 * button #submit and a paragraph #outcome for what is not one field's fault. The
 * paragraph stands last, so that nothing moves when it fills.
 */
export class Form {
  readonly #form: HTMLFormElement
  readonly #fields: readonly string[]
  readonly #button = byId('submit', HTMLButtonElement)
  readonly #label = this.#button.textContent
  readonly #outcome = byId('outcome', HTMLElement)
  #busy = false
  #timer = 0

  /** fields are the names of the inputs, from the top. */
  constructor(id: string, fields: readonly string[]) {
    this.#form = byId(id, HTMLFormElement)
    this.#fields = fields
    for (const name of fields) {
      this.#input(name).addEventListener('input', () => this.#mark(name, ''))
    }
    for (const button of this.#form.querySelectorAll<HTMLButtonElement>('[data-reveals]')) {
      reveal(button)
    }
  }

  /**
   * Calls submit with what was typed, unless check finds faults (by field) or a
   * call is under way.
   */
  onSubmit(
    check: (values: Values) => Record<string, string>,
    submit: (values: Values) => Promise<void>,
  ): void {
    this.#form.addEventListener('submit', event => {
      event.preventDefault()
      if (this.#busy) return
      const values: Values = name => this.#input(name).value
      this.#hidePasswords()
      if (this.faults(check(values))) return
      this.#outcome.textContent = ''
      this.#hold(`${this.#label} …`)
      void submit(values).finally(() => {
        if (this.#timer === 0) this.#free()
      })
    })
  }

  /** Shows what is wrong with single fields and goes to the first of them. */
  faults(faults: Readonly<Record<string, string>>): boolean {
    for (const name of this.#fields) this.#mark(name, faults[name] ?? '')
    const first = this.#fields.find(name => faults[name] !== undefined)
    if (first !== undefined) this.focus(first)
    return first !== undefined
  }

  /** Shows the server's no, and waits as long as it asks for. */
  refused(refusal: Refusal): void {
    const inFields = this.faults(refusal.fields)
    this.say(inFields ? '' : refusal.message)
    if (refusal.status === 429 && refusal.retryAfter > 0) this.#countDown(refusal.retryAfter)
  }

  /** Shows a sentence below the form; a screen reader says it at once. */
  say(text: string): void {
    this.#outcome.textContent = text
  }

  /** Goes to a field and selects what is in it. */
  focus(name: string): void {
    this.#input(name).focus()
    this.#input(name).select()
  }

  /** Empties a field. */
  clear(name: string): void {
    this.#input(name).value = ''
  }

  #input(name: string): HTMLInputElement {
    return byId(name, HTMLInputElement)
  }

  #mark(name: string, fault: string): void {
    byId(`${name}-note`, HTMLElement).textContent = fault
    if (fault === '') this.#input(name).removeAttribute('aria-invalid')
    else this.#input(name).setAttribute('aria-invalid', 'true')
  }

  /** The button keeps its focus: it is never disabled, but does nothing. */
  #hold(text: string): void {
    this.#busy = true
    this.#button.setAttribute('aria-disabled', 'true')
    this.#button.textContent = text
  }

  #free(): void {
    this.#busy = false
    this.#button.removeAttribute('aria-disabled')
    this.#button.textContent = this.#label
  }

  #countDown(seconds: number): void {
    const end = performance.now() + seconds * 1000
    const tick = () => {
      const left = Math.ceil((end - performance.now()) / 1000)
      if (left <= 0) {
        window.clearInterval(this.#timer)
        this.#timer = 0
        this.say('')
        this.#free()
      } else {
        this.#hold(`Try again in ${inWords(left)}`)
      }
    }
    this.#timer = window.setInterval(tick, 250)
    tick()
  }

  /** So that no browser keeps a password among the words typed before. */
  #hidePasswords(): void {
    for (const button of this.#form.querySelectorAll<HTMLButtonElement>('[data-reveals]')) {
      if (button.getAttribute('aria-pressed') === 'true') button.click()
    }
  }
}

/** Reads a field by its name. */
export type Values = (name: string) => string

/** Says a time for people: 45 s, 2 min 5 s. */
export function inWords(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  if (minutes === 0) return `${rest} s`
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
}

/** Says what is wrong with an email address, roughly; the server knows better. */
export function emailFault(email: string): string | undefined {
  if (email.trim() === '') return 'Type your email address.'
  return /^\S+@\S+$/.test(email.trim()) ? undefined : 'An email address looks like ada@example.com.'
}

function reveal(button: HTMLButtonElement): void {
  const input = byId(button.dataset['reveals'] ?? '', HTMLInputElement)
  button.hidden = false
  button.addEventListener('click', () => {
    const show = input.type === 'password'
    input.type = show ? 'text' : 'password'
    button.setAttribute('aria-pressed', String(show))
    button.textContent = show ? 'Hide' : 'Show'
  })
}
