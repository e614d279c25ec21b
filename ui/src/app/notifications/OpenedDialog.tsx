import type { Notification } from 'belfry-client'
import type { ReactNode } from 'react'
import { Dialog } from '../kit/Dialog'
import { Failed, Loading } from '../kit/States'
import { inFull } from '../kit/Time'
import { Badges } from './Badges'
import { sentAt } from './filters'
import { TypeIcon } from './TypeIcon'
import { type Action, allowed, changes } from './useActions'
import type { Opened } from './useOpened'
import { actionWords } from './words'

/** One notification in full. */
export function OpenedDialog(props: {
  opened: Opened
  act: (action: Action, row: Notification) => void
  close: () => void
}): ReactNode {
  const { opened, act, close } = props
  const { row } = opened
  if (row === undefined) {
    return (
      <Dialog title="Notification" open onClose={close}>
        {opened.looking ? (
          <Loading />
        ) : opened.problem !== null ? (
          <Failed problem={opened.problem} again={opened.retry} />
        ) : (
          <p>It is not there any more. It has expired, or its sender took it back.</p>
        )}
      </Dialog>
    )
  }
  const { action_url, action_text } = row
  const then = (action: Action) => {
    act(action, row)
    if (action !== 'read') close()
  }
  return (
    <Dialog
      title={row.title}
      open
      onClose={close}
      actions={
        <>
          {(['read', 'unread', 'archive', 'dismiss'] as const)
            .filter(action => changes(action, row) && allowed(action, row))
            .map(action => (
              <button key={action} type="button" className="quiet" onClick={() => then(action)}>
                {actionWords[action]}
              </button>
            ))}
          {action_url !== '' && (
            <a className="button" href={action_url} rel="noopener noreferrer">
              {action_text || 'Open'}
            </a>
          )}
        </>
      }
    >
      <div className="n-whole">
        <TypeIcon type={row.type} icon={row.icon} color={row.color} />
        <div>
          <p className="n-whole-message">{row.message}</p>
          <div className="n-facts">
            <time dateTime={sentAt(row)}>{inFull(sentAt(row))}</time>
            <Badges row={row} whole />
          </div>
        </div>
      </div>
    </Dialog>
  )
}
