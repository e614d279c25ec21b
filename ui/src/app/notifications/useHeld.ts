import type { Notification } from 'belfry-client'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { sentAt } from './filters'

/** Scrolled down this far, what is new does not push the list, in pixels. */
const away = 240

/** A list without what came while somebody reads further down. */
export interface Held {
  readonly rows: readonly Notification[]
  /** How many are held back. */
  readonly count: number
  /** Shows them, and goes up to them. */
  readonly show: () => void
}

/** Holds new rows back while the page is scrolled down. list: which one it is. */
export function useHeld(rows: readonly Notification[], list: string): Held {
  // The newest that is let through, "" for all.
  const [newest, setNewest] = useState('')
  const latest = useRef(rows)
  latest.current = rows

  // biome-ignore lint/correctness/useExhaustiveDependencies: another list begins anew
  useEffect(() => {
    const look = () => {
      const top = latest.current[0]
      if (window.scrollY < away) setNewest('')
      else setNewest(now => now || (top ? sentAt(top) : ''))
    }
    setNewest('')
    look()
    window.addEventListener('scroll', look, { passive: true })
    return () => window.removeEventListener('scroll', look)
  }, [list])

  const shown = useMemo(
    () => (newest === '' ? rows : rows.filter(row => sentAt(row) <= newest)),
    [rows, newest],
  )
  const show = useCallback(() => {
    setNewest('')
    window.scrollTo({ top: 0 })
  }, [])
  return { rows: shown, count: rows.length - shown.length, show }
}
