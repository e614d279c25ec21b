import { type ComponentType, type LazyExoticComponent, lazy } from 'react'

// For how often and how long the server may be away while a part is loaded.
const tries = 60
const pause = 2000

/**
 * A part of a page that is loaded when it is first shown. While the server is away,
 * such as at a restart, it is tried again, and what stands around it stays. After two
 * minutes it is a fault. It must not have styles of its own: one that did not come
 * is taken for loaded by the next try.
 */
export function later<P>(
  load: () => Promise<{ default: ComponentType<P> }>,
): LazyExoticComponent<ComponentType<P>> {
  return lazy(async () => {
    for (let n = 1; ; n++) {
      try {
        return await load()
      } catch (problem) {
        if (n === tries) throw problem
        await new Promise(done => setTimeout(done, pause))
      }
    }
  })
}
