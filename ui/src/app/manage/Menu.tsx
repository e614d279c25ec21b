import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'

/** Something that can be chosen from a menu. */
export interface Choice {
  readonly label: string
  readonly choose: () => void
  readonly danger?: boolean
}

/** A button that shows further buttons. Escape and a click elsewhere close it. */
export function Menu(props: { label: string; choices: readonly Choice[] }): ReactNode {
  const [open, setOpen] = useState(false)
  const root = useRef<HTMLDivElement>(null)
  const button = useRef<HTMLButtonElement>(null)
  const list = useId()

  useEffect(() => {
    if (!open) return
    root.current?.querySelector<HTMLElement>('li button')?.focus()
    root.current?.querySelector('ul')?.scrollIntoView({ block: 'nearest' })
    const onPointer = (event: Event) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false)
    }
    document.addEventListener('pointerdown', onPointer)
    return () => document.removeEventListener('pointerdown', onPointer)
  }, [open])

  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return
    if (event.key === 'Escape') {
      event.stopPropagation()
      setOpen(false)
      button.current?.focus()
      return
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const all = [...(root.current?.querySelectorAll<HTMLElement>('li button') ?? [])]
    const at = all.indexOf(document.activeElement as HTMLElement)
    all[(at + step + all.length) % all.length]?.focus()
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys belong to the buttons in it
    <div
      ref={root}
      className="menu"
      onKeyDown={onKeyDown}
      onBlur={event => {
        if (event.relatedTarget && !root.current?.contains(event.relatedTarget)) setOpen(false)
      }}
    >
      <button
        ref={button}
        type="button"
        className="icon-button"
        aria-label={props.label}
        aria-expanded={open}
        aria-controls={open ? list : undefined}
        onClick={() => setOpen(!open)}
      >
        <span aria-hidden="true">⋯</span>
      </button>
      {open && (
        <ul id={list}>
          {props.choices.map(choice => (
            <li key={choice.label}>
              <button
                type="button"
                className={choice.danger ? 'menu-danger' : undefined}
                onClick={() => {
                  button.current?.focus() // where a dialog gives the focus back to
                  setOpen(false)
                  choice.choose()
                }}
              >
                {choice.label}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
