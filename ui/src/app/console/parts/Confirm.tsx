import { type ReactNode, useState } from 'react'
import { Dialog } from '../../kit/Dialog'
import { wordsOf } from '../../kit/States'

/** Asks before something is done, does it, and says why it could not be. */
export function Confirm(props: {
  title: string
  children: ReactNode
  /** The word on the button. */
  act: string
  danger?: boolean
  onClose: () => void
  /** Closes the dialog by itself once it is done. */
  onConfirm: () => Promise<unknown>
}): ReactNode {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<unknown>()
  const confirm = async () => {
    if (busy) return
    setBusy(true)
    setProblem(undefined)
    try {
      await props.onConfirm()
      props.onClose()
    } catch (cause) {
      setProblem(cause)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={props.title}
      open
      onClose={props.onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={props.onClose}>
            Back
          </button>
          <button
            type="button"
            className={props.danger ? 'danger' : undefined}
            aria-disabled={busy}
            onClick={() => void confirm()}
          >
            {props.act}
          </button>
        </>
      }
    >
      <div className="c-stack">
        {props.children}
        {problem !== undefined && (
          <p className="note" role="alert">
            {wordsOf(problem)}
          </p>
        )}
      </div>
    </Dialog>
  )
}
