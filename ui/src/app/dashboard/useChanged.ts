import { useEffect, useRef, useState } from 'react'

/** How long a change is marked, in milliseconds. */
const shown = 2500

/**
 * Says whether a value has just become another within the same scope (a range).
 * The number is that of the change, 0 while none is marked, so that as a key it
 * begins an animation anew.
 */
export function useChanged(value: string, scope: string): number {
  const before = useRef({ value, scope })
  const count = useRef(0)
  const [mark, setMark] = useState(0)
  useEffect(() => {
    const last = before.current
    before.current = { value, scope }
    if (last.scope !== scope) {
      setMark(0)
      return
    }
    if (last.value !== value) setMark(++count.current)
  }, [value, scope])
  useEffect(() => {
    if (mark === 0) return
    const timer = window.setTimeout(() => setMark(0), shown)
    return () => window.clearTimeout(timer)
  }, [mark])
  return mark
}
