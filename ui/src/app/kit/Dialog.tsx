import { type ReactNode, useEffect, useId, useRef } from 'react'

/**
 * A window over the page that holds the focus, closes with Escape and gives the
 * focus back. It is the browser's own, so nothing behind it can be reached.
 */
export function Dialog(props: {
  title: string
  open: boolean
  onClose: () => void
  children: ReactNode
  /** The buttons at its foot. */
  actions?: ReactNode
  wide?: boolean
}): ReactNode {
  const { open, onClose } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const element = dialog.current
    if (!open || element === null) return
    element.showModal()
    return () => element.close()
  }, [open])
  if (!open) return null
  return (
    <dialog
      ref={dialog}
      className={props.wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={heading}
      onCancel={event => {
        event.preventDefault()
        onClose()
      }}
    >
      <header>
        <h2 id={heading}>{props.title}</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={onClose}>
          <span aria-hidden="true">×</span>
        </button>
      </header>
      <div className="dialog-body">{props.children}</div>
      {props.actions && <footer>{props.actions}</footer>}
    </dialog>
  )
}
