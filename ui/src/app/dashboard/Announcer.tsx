import type { DashboardInfo, DashboardStats } from 'belfry-client/dashboard'
import { type ReactNode, useEffect, useRef, useState } from 'react'

/** How long between two announcements, in milliseconds. */
const pause = 10_000

/** Tells screen readers which numbers changed, not more often than they can say it. */
export function Announcer(props: { stats: DashboardStats; info: DashboardInfo }): ReactNode {
  const latest = useRef(props)
  latest.current = props
  const told = useRef(props.stats)
  const [words, setWords] = useState('')
  useEffect(() => {
    const timer = window.setInterval(() => {
      const { stats, info } = latest.current
      const before = told.current
      told.current = stats
      if (before.range !== stats.range) return
      const changed = info.figures.filter(
        ({ name, kind }) => kind === 'number' && stats[name] !== before[name],
      )
      if (changed.length === 0) return
      setWords(
        changed.map(({ name, title }) => `${title}: ${stats[name] ?? 'not known'}`).join(', '),
      )
    }, pause)
    return () => window.clearInterval(timer)
  }, [])
  return (
    <p className="offscreen" role="status">
      {words}
    </p>
  )
}
