const prefix = /^\(\d+\+?\) /

/** Puts the unread count before the page's title, and keeps it there. */
export class Title {
  private count = 0
  private observer: MutationObserver | undefined

  start(): void {
    if (typeof document === 'undefined' || typeof MutationObserver === 'undefined') return
    // A title with a count is left alone: another manager may have written it, and
    // the two must not go on correcting each other.
    this.observer = new MutationObserver(() => {
      if (!prefix.test(document.title)) this.write()
    })
    this.observer.observe(document.head, { childList: true, subtree: true, characterData: true })
  }

  show(count: number): void {
    this.count = count
    this.write()
  }

  stop(): void {
    this.observer?.disconnect()
    this.show(0)
  }

  private write(): void {
    if (typeof document === 'undefined') return
    const bare = document.title.replace(prefix, '')
    const title = this.count > 0 ? `(${this.count > 99 ? '99+' : this.count}) ${bare}` : bare
    if (document.title !== title) document.title = title
  }
}
