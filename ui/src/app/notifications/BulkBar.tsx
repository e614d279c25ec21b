import type { Notification } from 'belfry-client'
import { type ReactNode, useEffect, useRef } from 'react'
import { type Action, allowed, changes } from './useActions'
import type { Selection } from './useSelection'
import { actionWords } from './words'

/** Picks all, and does one thing with all that are picked. */
export function BulkBar(props: {
  rows: readonly Notification[]
  hasMore: boolean
  selection: Selection
  busy: boolean
  run: (action: Action) => void
}): ReactNode {
  const { rows, selection, busy, run } = props
  const picked = selection.rows
  const all = picked.length > 0 && picked.length === rows.length
  const box = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (box.current) box.current.indeterminate = picked.length > 0 && !all
  }, [picked.length, all])
  const can = (action: Action) => picked.some(row => changes(action, row) && allowed(action, row))
  return (
    <div className="n-bulk" data-active={picked.length > 0}>
      <label className="n-pick">
        <input
          ref={box}
          type="checkbox"
          checked={all}
          disabled={rows.length === 0}
          onChange={() => selection.set(picked.length > 0 ? [] : rows)}
        />
        <span>
          {picked.length > 0
            ? `${picked.length} picked`
            : props.hasMore
              ? `Pick the ${rows.length} that are loaded`
              : 'Pick all'}
        </span>
      </label>
      {picked.length > 0 && (
        <fieldset className="n-bulk-actions" aria-label="With those that are picked">
          {(['read', 'unread', 'archive', 'dismiss'] as const).map(action => (
            <button
              key={action}
              type="button"
              className="quiet"
              disabled={busy || !can(action)}
              onClick={() => run(action)}
            >
              {actionWords[action]}
            </button>
          ))}
        </fieldset>
      )}
    </div>
  )
}
