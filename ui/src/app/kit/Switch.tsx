import { type ReactNode, useId } from 'react'

/** Turns something on or off. The note below says what, or why it cannot be. */
export function Switch(props: {
  label: string
  on: boolean
  onChange: (on: boolean) => void
  disabled?: boolean
  note?: ReactNode
}): ReactNode {
  const note = useId()
  return (
    <div className="switch">
      <label>
        <input
          type="checkbox"
          role="switch"
          checked={props.on}
          aria-checked={props.on}
          disabled={props.disabled}
          aria-describedby={props.note ? note : undefined}
          onChange={event => props.onChange(event.target.checked)}
        />
        <span>{props.label}</span>
      </label>
      {props.note && (
        <p className="switch-note" id={note}>
          {props.note}
        </p>
      )}
    </div>
  )
}
