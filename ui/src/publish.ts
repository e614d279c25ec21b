import { copyButton } from './copy'
import { byId, make } from './dom'
import { snippets } from './snippets/all'
import type { Snippet, Target } from './snippets/snippet'

/** The tabs with what publishes to the channel at hand. */
export class Publish {
  readonly #tabs = byId('tabs', HTMLElement)
  readonly #panel = byId('panel', HTMLElement)
  readonly #hint = byId('hint', HTMLElement)
  readonly #blocks = byId('blocks', HTMLElement)
  #target: Target
  #chosen: Snippet

  constructor(target: Target) {
    this.#target = target
    const [first] = snippets
    if (first === undefined) throw new Error('there are no snippets')
    this.#chosen = first
    for (const snippet of snippets) {
      const tab = make(
        'button',
        { type: 'button', role: 'tab', id: `tab-${snippet.id}`, 'aria-controls': 'panel' },
        snippet.label,
      )
      tab.addEventListener('click', () => this.#choose(snippet))
      this.#tabs.append(tab)
    }
    this.#tabs.addEventListener('keydown', event => this.#key(event))
    this.#paint()
  }

  /** Points all snippets at another channel. */
  aim(channel: string): void {
    if (channel === this.#target.channel) return
    this.#target = { ...this.#target, channel }
    this.#paint()
  }

  #choose(snippet: Snippet): void {
    this.#chosen = snippet
    this.#paint()
  }

  #key(event: KeyboardEvent): void {
    const at = snippets.indexOf(this.#chosen)
    const next = {
      ArrowRight: (at + 1) % snippets.length,
      ArrowLeft: (at + snippets.length - 1) % snippets.length,
      Home: 0,
      End: snippets.length - 1,
    }[event.key]
    const snippet = next === undefined ? undefined : snippets[next]
    if (snippet === undefined) return
    event.preventDefault()
    this.#choose(snippet)
    document.getElementById(`tab-${snippet.id}`)?.focus()
  }

  #paint(): void {
    for (const snippet of snippets) {
      const tab = byId(`tab-${snippet.id}`, HTMLButtonElement)
      const chosen = snippet === this.#chosen
      tab.setAttribute('aria-selected', String(chosen))
      tab.tabIndex = chosen ? 0 : -1
    }
    this.#panel.setAttribute('aria-labelledby', `tab-${this.#chosen.id}`)
    this.#hint.textContent = this.#chosen.hint
    this.#blocks.replaceChildren(
      ...this.#chosen.blocks(this.#target).map(block =>
        make(
          'figure',
          { class: 'block' },
          make(
            'figcaption',
            {},
            make('span', {}, block.title),
            copyButton(`Copy ${block.title}`, () => block.text),
          ),
          make('pre', {}, make('code', {}, block.text)),
        ),
      ),
    )
  }
}
