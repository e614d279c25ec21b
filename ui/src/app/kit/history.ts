type Hold = (event: PopStateEvent) => void

const holds = new Set<Hold>()

/**
 * Has those that hold the back button up hear of it before the router does: to be
 * called before the router is there, since listeners of a window are called in
 * the order in which they came.
 */
export function watchHistory(): void {
  window.addEventListener('popstate', event => {
    for (const hold of holds) hold(event)
  })
}

/** Calls hold, which may stop the event, on each step in the history, until released. */
export function holdHistory(hold: Hold): () => void {
  holds.add(hold)
  return () => holds.delete(hold)
}
