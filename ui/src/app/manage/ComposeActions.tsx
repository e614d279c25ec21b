import { type ReactNode, useState } from 'react'
import { useLocation } from 'wouter'
import { StepDialog } from './StepDialog'
import type { Step } from './steps'
import type { useCompose } from './useCompose'

/** The bar with what can be done with the form, always in sight. */
export function ComposeActions(props: {
  form: ReturnType<typeof useCompose>
  /** It can no longer be changed. */
  over: boolean
}): ReactNode {
  const { form, over } = props
  const { draft, saved, busy, dirty, problem, faults } = form
  const [step, setStep] = useState<Step>()
  const [, navigate] = useLocation()
  const count = Object.keys(faults).length
  const isScheduled = saved?.status === 'scheduled'
  const kept = isScheduled && draft.later
  return (
    <div className="compose-bar">
      <p className="compose-problem" role="alert">
        {problem}
        {count > 0 && ` ${count === 1 ? 'One field has' : `${count} fields have`} a fault.`}
      </p>
      <div className="compose-buttons">
        {saved && !dirty && (
          <button type="button" className="quiet" onClick={() => setStep('delete')}>
            Delete
          </button>
        )}
        {isScheduled && !dirty && (
          <button type="button" className="quiet" onClick={() => setStep('cancel')}>
            Cancel sending
          </button>
        )}
        {!kept && (
          <button type="submit" className="quiet" aria-disabled={busy || over}>
            {isScheduled ? 'Back to draft' : 'Save draft'}
          </button>
        )}
        {kept ? (
          <button type="submit" aria-disabled={busy || over || !dirty}>
            Save
          </button>
        ) : (
          <button
            type="button"
            aria-disabled={busy || over}
            onClick={() => void (over || form.ask(draft.later ? 'schedule' : 'send'))}
          >
            {draft.later ? 'Schedule …' : 'Send now …'}
          </button>
        )}
      </div>
      {step && saved && (
        <StepDialog
          step={step}
          one={saved}
          onClose={() => setStep(undefined)}
          onGone={() => navigate('')}
        />
      )}
    </div>
  )
}
