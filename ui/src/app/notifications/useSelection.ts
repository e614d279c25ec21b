import type { Notification } from 'belfry-client'
import { useCallback, useMemo, useRef, useState } from 'react'

/** Which of a list's rows are picked. */
export interface Selection {
  /** In the list's order; one that left the list is none any more. */
  readonly rows: readonly Notification[]
  readonly has: (id: string) => boolean
  /** Picks or drops one; range: and all from the one before. */
  readonly toggle: (id: string, range?: boolean) => void
  readonly set: (rows: readonly Notification[]) => void
}

export function useSelection(list: readonly Notification[]): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set())
  const before = useRef('')
  const latest = useRef(list)
  latest.current = list
  const rows = useMemo(() => list.filter(({ id }) => ids.has(id)), [list, ids])
  const toggle = useCallback((id: string, range = false) => {
    const order = latest.current.map(row => row.id)
    const [from, to] = [order.indexOf(before.current), order.indexOf(id)]
    before.current = id
    setIds(old => {
      const next = new Set(old)
      const span =
        range && from >= 0 ? order.slice(Math.min(from, to), Math.max(from, to) + 1) : [id]
      for (const one of span) {
        if (old.has(id)) next.delete(one)
        else next.add(one)
      }
      return next
    })
  }, [])
  const set = useCallback((picked: readonly Notification[]) => {
    setIds(new Set(picked.map(({ id }) => id)))
  }, [])
  const has = useCallback((id: string) => ids.has(id), [ids])
  return { rows, has, toggle, set }
}
