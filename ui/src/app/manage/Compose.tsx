import { type ReactNode, useEffect, useState } from 'react'
import { Dialog } from '../kit/Dialog'
import { inFull } from '../kit/Time'
import { usePageTitle } from '../kit/title'
import { Audience } from './Audience'
import { ComposeActions } from './ComposeActions'
import { ComposeFields } from './ComposeFields'
import { ComposeTarget } from './ComposeTarget'
import { ComposeTimes } from './ComposeTimes'
import { Conflict } from './Conflict'
import type { Draft } from './draft'
import type { Managed } from './model'
import { Preview } from './Preview'
import { QuestionDialog } from './QuestionDialog'
import { StatusBadge } from './Row'
import { isOpen } from './steps'
import { useCompose } from './useCompose'
import { useLeaveGuard } from './useLeaveGuard'

/** The form of a new notification, or of one that has not gone out. */
export function Compose(props: {
  base?: Managed
  start?: Draft
  /** Told whether something has been typed that would be lost. */
  onHold?: (held: boolean) => void
}): ReactNode {
  const { base, start, onHold } = props
  const form = useCompose(base, start)
  const { draft, saved, dirty, faults } = form
  const guard = useLeaveGuard(dirty)
  const [now] = useState(Date.now)
  usePageTitle(saved ? 'Edit a notification' : 'New notification')
  useEffect(() => onHold?.(dirty), [dirty, onHold])
  const over = base !== undefined && !isOpen(base)
  const overtaken =
    !over && base !== undefined && saved !== undefined && base.revision > saved.revision

  return (
    <form
      className="compose"
      noValidate
      onSubmit={event => {
        event.preventDefault()
        void form.save(!draft.later || saved?.status !== 'scheduled')
      }}
    >
      <header className="page-head">
        <h1>{saved ? 'Edit' : 'New notification'}</h1>
        {saved && (
          <p className="head-facts">
            <StatusBadge one={saved} />
            {saved.status === 'scheduled' && <span>for {inFull(saved.scheduledAt)}</span>}
          </p>
        )}
      </header>
      {over && (
        <p className="banner" role="alert">
          It has gone out or was cancelled meanwhile, so what you typed cannot be saved any more.
          Copy what you need before you leave.
        </p>
      )}
      {overtaken && (
        <p className="banner" role="alert">
          Somebody else has saved another version meanwhile.{' '}
          <button type="button" className="quiet" onClick={() => void form.compare()}>
            Compare
          </button>
        </p>
      )}
      <div className="compose-columns">
        <div className="compose-main">
          <ComposeFields draft={draft} faults={faults} put={form.put} />
          <ComposeTarget draft={draft} fault={faults['target']} put={form.put} />
          <ComposeTimes draft={draft} faults={faults} put={form.put} />
        </div>
        <aside className="compose-side" aria-label="Before it goes out">
          <Audience target={draft.target} />
          <Preview draft={draft} now={now} />
        </aside>
      </div>
      <ComposeActions form={form} over={over} />
      {form.question && (
        <QuestionDialog
          question={form.question}
          draft={draft}
          busy={form.busy}
          onClose={form.unask}
          onConfirm={() => void form.confirm()}
        />
      )}
      {form.theirs && (
        <Conflict
          mine={draft}
          before={form.clean}
          theirs={form.theirs}
          busy={form.busy}
          onClose={form.unsettled}
          onSettle={content => void form.settle(content)}
        />
      )}
      <Dialog
        title="Leave without saving?"
        open={guard.asked}
        onClose={guard.stay}
        actions={
          <>
            <button type="button" className="danger" onClick={guard.leave}>
              Leave
            </button>
            <button type="button" onClick={guard.stay}>
              Stay
            </button>
          </>
        }
      >
        <p>What you have typed since you saved last is lost then.</p>
      </Dialog>
    </form>
  )
}
