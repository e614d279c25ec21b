import type { ReactNode } from 'react'
import { Field } from './Field'
import { inMinutes, nextHour, zone } from './times'

/** A time in the browser's zone. */
export function TimeField(props: {
  label: string
  id?: string | undefined
  value: string
  change: (value: string) => void
  fault?: string | undefined
  hint?: ReactNode
  /** Times that a click sets; default: soon, and the next morning. */
  choices?: readonly { label: string; value: () => string }[]
  autoFocus?: boolean
}): ReactNode {
  const { label, id, value, change, fault, choices = presets } = props
  return (
    <div>
      <Field label={label} id={id} fault={fault} hint={props.hint ?? `In your zone, ${zone()}.`}>
        {wiring => (
          <input
            {...wiring}
            type="datetime-local"
            max="9999-12-31T23:59:59"
            value={value}
            // biome-ignore lint/a11y/noAutofocus: in a dialog that has been asked for
            autoFocus={props.autoFocus}
            onChange={event => change(event.target.value)}
          />
        )}
      </Field>
      <div className="presets">
        {choices.map(choice => (
          <button
            key={choice.label}
            type="button"
            className="quiet"
            onClick={() => change(choice.value())}
          >
            {choice.label}
          </button>
        ))}
      </div>
    </div>
  )
}

const presets = [
  { label: 'In 10 minutes', value: () => inMinutes(10) },
  { label: 'In an hour', value: () => inMinutes(60) },
  { label: 'Next 9:00', value: () => nextHour(9) },
]
