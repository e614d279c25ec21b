import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react'
import type { Entry } from '../model'
import { Nothing } from '../parts/ListOf'
import type { Pages } from './book'
import { LogLine } from './LogLine'
import { useNarrow } from './useNarrow'

/**
 * The rows that can be seen, the newest on top. Who scrolls down reads, so what
 * comes is held back until they go on.
 */
export function LogRows(props: {
  pages: Pages
  narrowed: boolean
  onOpen: (entry: Entry) => void
  onScrollAway: () => void
}): ReactNode {
  const { rows, paused } = props.pages
  const box = useRef<HTMLDivElement>(null)
  const height = useNarrow() ? 60 : 36
  const at = (index: number) => rows[rows.length - 1 - index]
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    overscan: 6,
    getItemKey: index => at(index)?.n ?? index,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: all rows have the new height
  useEffect(() => virtual.measure(), [height])
  useEffect(() => {
    if (!paused) box.current?.scrollTo({ top: 0 })
  }, [paused])
  if (rows.length === 0) {
    return (
      <div className="c-log" ref={box}>
        <Nothing title={props.narrowed ? 'Nothing fits yet' : 'Nothing has happened yet'}>
          {props.narrowed
            ? 'Nothing of the last hour fits these filters. What comes and fits shows here.'
            : 'Connections, subscriptions, events and what becomes of them show here as they come.'}
        </Nothing>
      </div>
    )
  }
  return (
    <div
      className="c-log"
      ref={box}
      onScroll={({ currentTarget }) => {
        if (currentTarget.scrollTop > height) props.onScrollAway()
      }}
    >
      <ul
        aria-label="Entries, the newest first"
        style={{ height: virtual.getTotalSize() }}
        onKeyDown={step}
      >
        {virtual.getVirtualItems().map(({ index, key, start, size }) => {
          const row = at(index)
          if (row === undefined) return null
          return (
            <li
              key={key}
              data-what={row.entry.what}
              style={{ height: size, transform: `translateY(${start}px)` }}
            >
              <button type="button" onClick={() => props.onOpen(row.entry)}>
                <LogLine entry={row.entry} />
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

/** The arrow keys go from row to row. */
function step(event: KeyboardEvent<HTMLUListElement>): void {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return
  const all = [...event.currentTarget.querySelectorAll('button')].sort(
    (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top,
  )
  const now = all.indexOf(document.activeElement as HTMLButtonElement)
  if (now < 0) return
  event.preventDefault()
  all[now + (event.key === 'ArrowDown' ? 1 : -1)]?.focus()
}
