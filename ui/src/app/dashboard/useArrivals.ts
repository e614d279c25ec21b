import { useEffect, useRef, useState } from 'react'

const none: ReadonlySet<string> = new Set()

/** How long a new row is marked, in milliseconds. */
const shown = 2500

/**
 * The keys that were not there before, for a moment. The first that are known of
 * a scope (a range) are not new.
 */
export function useArrivals(
  keys: readonly string[],
  scope: string,
  known: boolean,
): ReadonlySet<string> {
  const before = useRef<{ scope: string; keys: ReadonlySet<string> } | undefined>(undefined)
  const [fresh, setFresh] = useState(none)
  const all = keys.join('\n')
  useEffect(() => {
    if (!known) return
    const last = before.current
    const now = all === '' ? [] : all.split('\n')
    before.current = { scope, keys: new Set(now) }
    if (last?.scope !== scope) {
      setFresh(none)
      return
    }
    const added = now.filter(key => !last.keys.has(key))
    if (added.length > 0) setFresh(new Set(added))
  }, [all, scope, known])
  useEffect(() => {
    if (fresh.size === 0) return
    const timer = window.setTimeout(() => setFresh(none), shown)
    return () => window.clearTimeout(timer)
  }, [fresh])
  return fresh
}
