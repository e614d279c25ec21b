import { defaultRangeExtractor, type Range, useWindowVirtualizer } from '@tanstack/react-virtual'
import type { Notification } from 'belfry-client'
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { wordsOf } from '../kit/States'
import { NotificationRow } from './NotificationRow'
import type { Action } from './useActions'
import type { List } from './useList'
import { useRowKeys } from './useRowKeys'
import type { Selection } from './useSelection'

/** How many rows before the end of what is loaded the next page is asked for. */
const ahead = 15

/**
 * The rows that can be seen and a few around them, however long the list is. It
 * is a feed: Page up and down and the arrow keys go from one to the next.
 */
export function NotificationList(props: {
  list: List
  rows: readonly Notification[]
  selection: Selection
  addressOf: (id: string) => string
  act: (action: Action, row: Notification) => void
}): ReactNode {
  const { list, rows, selection, act } = props
  const box = useRef<HTMLDivElement>(null)
  const [start, setStart] = useState(0)
  const keys = useRowKeys(rows, box, { act, pick: selection.toggle })
  const currentIndex = keys.index

  // What stands above may come, go and wrap.
  useLayoutEffect(() => {
    const measure = () => setStart(box.current?.offsetTop ?? 0)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])

  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => 100,
    overscan: 6,
    scrollMargin: start,
    getItemKey: useCallback((index: number) => rows[index]?.id ?? index, [rows]),
    // The row that has the focus must not go while somebody scrolls.
    rangeExtractor: useCallback(
      (range: Range) => {
        const shown = defaultRangeExtractor(range)
        if (currentIndex < 0 || shown.includes(currentIndex)) return shown
        return [...shown, currentIndex].sort((a, b) => a - b)
      },
      [currentIndex],
    ),
  })
  const items = virtual.getVirtualItems()
  const reached = virtual.range?.endIndex ?? items.at(-1)?.index ?? 0
  const near = reached >= rows.length - ahead
  const { loadMore, hasMore, loading, problem } = list
  useEffect(() => {
    if (near && hasMore && !loading) loadMore()
  }, [near, hasMore, loading, loadMore])

  return (
    <>
      <div
        ref={box}
        role="feed"
        aria-label="Notifications"
        aria-busy={loading}
        className="n-list"
        style={{ height: virtual.getTotalSize() }}
      >
        {items.map(({ index, key, start: top }) => {
          const row = rows[index]
          if (row === undefined) return null
          return (
            <NotificationRow
              key={key}
              row={row}
              index={index}
              size={hasMore ? -1 : rows.length}
              top={top - start}
              measure={virtual.measureElement}
              current={index === currentIndex || (currentIndex < 0 && index === 0)}
              picked={selection.has(row.id)}
              address={props.addressOf(row.id)}
              onFocus={() => keys.setCurrent(row.id)}
              onKeyDown={event => keys.onKeyDown(event, index)}
              pick={range => selection.toggle(row.id, range)}
              act={action => keys.keepFocus(index, action, () => act(action, row))}
            />
          )
        })}
      </div>
      <div className="n-end" role="status">
        {problem !== null ? (
          <>
            <span className="n-problem">{wordsOf(problem)}</span>
            <button type="button" className="quiet" onClick={list.retry}>
              Try again
            </button>
          </>
        ) : (
          hasMore && 'Loading more'
        )}
      </div>
    </>
  )
}
