import type { ReactNode } from 'react'
import { Dialog } from '../kit/Dialog'
import { inFull } from '../kit/Time'
import { AudienceLine, useCount } from './Audience'
import type { Draft } from './draft'
import { fromInput } from './times'
import type { Question } from './useCompose'
import { people } from './words'

/** Asks before a form goes out, with the count of whom it goes to. */
export function QuestionDialog(props: {
  question: Question
  draft: Draft
  busy: boolean
  onClose: () => void
  onConfirm: () => void
}): ReactNode {
  const { question, draft, busy } = props
  const { data } = useCount(draft.target).audience
  const to = data === undefined ? '' : ` to ${people(data.recipients)}`
  return (
    <Dialog
      title={question === 'send' ? 'Send it now?' : 'Schedule it?'}
      open
      onClose={props.onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={props.onClose}>
            Back
          </button>
          <button type="button" aria-disabled={busy} onClick={props.onConfirm}>
            {question === 'send' ? `Send${to}` : 'Schedule'}
          </button>
        </>
      }
    >
      <div className="step">
        <p className="step-title">{draft.title}</p>
        {question === 'send' ? (
          <p>It goes out now, and its text can no longer be changed.</p>
        ) : (
          <p>
            It goes out by itself at <strong>{inFull(fromInput(draft.scheduled))}</strong>, to whom
            it is for by then.
          </p>
        )}
        <AudienceLine target={draft.target} />
      </div>
    </Dialog>
  )
}
