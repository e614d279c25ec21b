import { type ReactNode, useId, useState } from 'react'
import { Refusal } from '../../request'
import { Dialog } from '../kit/Dialog'
import { wordsOf } from '../kit/States'
import { inFull } from '../kit/Time'
import { AudienceLine } from './Audience'
import { cancel, remove, schedule, send } from './api'
import type { Managed } from './model'
import { useNotice } from './Notice'
import { useChanged } from './queries'
import { type Step, stepWord } from './steps'
import { TimeField } from './TimeField'
import { fromInput, nextHour, toInput } from './times'
import { people } from './words'

/** Says what a step will do, and does it once that is confirmed. */
export function StepDialog(props: {
  step: Step
  one: Managed
  onClose: () => void
  onGone?: () => void
}): ReactNode {
  const { step, one, onClose } = props
  const [time, setTime] = useState(() => toInput(one.scheduledAt) || nextHour(9))
  const [busy, setBusy] = useState(false)
  const [fault, setFault] = useState('')
  const [problem, setProblem] = useState('')
  const changed = useChanged()
  const say = useNotice()
  const field = useId()

  const act = async () => {
    switch (step) {
      case 'send':
        changed.to(await send(one.id, one.revision))
        return say(`“${one.title}” is on its way.`)
      case 'schedule': {
        const at = fromInput(time)
        changed.to(await schedule(one.id, one.revision, at || time))
        return say(`“${one.title}” goes out at ${inFull(at)}.`)
      }
      case 'cancel':
        changed.to(await cancel(one.id, one.revision))
        return say(`“${one.title}” is cancelled.`)
      case 'delete':
        await remove(one.id, one.revision)
        changed.gone(one.id)
        props.onGone?.()
        return say(`“${one.title}” is deleted.`)
    }
  }
  const confirm = async () => {
    if (busy) return
    setBusy(true)
    setFault('')
    setProblem('')
    try {
      await act()
      onClose()
    } catch (cause) {
      const at = cause instanceof Refusal ? cause.fields['scheduled_at'] : undefined
      if (at !== undefined && step === 'schedule') {
        setFault(at)
        document.getElementById(field)?.focus()
      } else setProblem(faultsIn(cause) || wordsOf(cause))
      if (cause instanceof Refusal && (cause.status === 409 || cause.status === 404)) changed.all()
    } finally {
      setBusy(false)
    }
  }

  return (
    <Dialog
      title={stepWord(step, one)}
      open
      onClose={onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={onClose}>
            Back
          </button>
          <button
            type="button"
            className={step === 'delete' || step === 'cancel' ? 'danger' : undefined}
            aria-disabled={busy}
            onClick={() => void confirm()}
          >
            {verbs(step, one)}
          </button>
        </>
      }
    >
      <div className="step">
        <p className="step-title">{one.title}</p>
        <Consequence step={step} one={one} />
        {step === 'schedule' && (
          <TimeField
            id={field}
            label="Goes out at"
            value={time}
            change={setTime}
            fault={fault}
            autoFocus
          />
        )}
        {(step === 'send' || step === 'schedule') && <AudienceLine target={one.target} />}
        <p role="alert" className="note">
          {problem}
        </p>
      </div>
    </Dialog>
  )
}

/** What a refusal says of single fields, such as an expiry that has passed. */
function faultsIn(cause: unknown): string {
  return cause instanceof Refusal ? Object.values(cause.fields).join(' ') : ''
}

function verbs(step: Step, one: Managed): string {
  if (step === 'cancel') return one.status === 'scheduled' ? 'Do not send it' : 'Take it back'
  if (step === 'schedule') return 'Set the time'
  return stepWord(step, one)
}

/** What will happen, in sentences. */
function Consequence(props: { step: Step; one: Managed }): ReactNode {
  const { step, one } = props
  const had = people(one.stats.recipients)
  const received = one.sentAt !== '' && one.status !== 'cancelled'
  switch (step) {
    case 'send':
      return <p>It goes out now, and its text can no longer be changed.</p>
    case 'schedule':
      return <p>It goes out by itself at the time that you set, to whom it is for by then.</p>
    case 'cancel':
      return one.status === 'scheduled' ? (
        <p>It will not go out. It stays in the list, and nobody is told.</p>
      ) : (
        <p>
          It vanishes from the lists and bells of {had} who have it. Who has read it has read it.
        </p>
      )
    case 'delete':
      return received ? (
        <p>
          It is taken back from {had} who have it, and removed with its statistics. This cannot be
          undone.
        </p>
      ) : (
        <p>It is removed for good{one.status === 'scheduled' && ' and will not go out'}.</p>
      )
  }
}
