import type { Notification } from 'belfry-client'
import type { ReactNode } from 'react'
import { type Action, allowed, changes } from './useActions'
import { actionWords } from './words'

const shapes: Record<Action, string> = {
  read: 'M4.5 12.5 10 18 20 7',
  unread: 'M4 7h16v11H4zM4 7.5l8 6 8-6',
  dismiss: 'M6 6l12 12M18 6 6 18',
  archive: 'M4 5h16v4H4zM5.5 9v10h13V9M10 13h4',
}

/** What can be done with one notification, as signs with names. */
export function RowActions(props: { row: Notification; act: (action: Action) => void }): ReactNode {
  const { row, act } = props
  const offered = (['read', 'unread', 'archive', 'dismiss'] as const).filter(
    action => changes(action, row) && allowed(action, row),
  )
  const gone = row.archived_at !== null
  return (
    <span className="n-actions">
      {offered
        .filter(action => action !== 'dismiss' || !gone)
        .map(action => (
          <button
            key={action}
            type="button"
            className="icon-button"
            aria-label={`${actionWords[action]}: ${row.title}`}
            title={actionWords[action]}
            onClick={() => act(action)}
          >
            <svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">
              <path d={shapes[action]} />
            </svg>
          </button>
        ))}
    </span>
  )
}
