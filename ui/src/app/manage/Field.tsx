import { type ReactNode, useId } from 'react'
import { numeral } from './words'

/** What a field's control needs, so that its note and its fault are read out with it. */
export interface Wiring {
  readonly id: string
  readonly 'aria-invalid': true | undefined
  readonly 'aria-describedby': string
}

/** A label, a control and a line for its fault or what there is to know of it. */
export function Field(props: {
  label: string
  /** Of the control, where something else has to find it. */
  id?: string | undefined
  fault?: string | undefined
  hint?: ReactNode
  /** How many characters there are, and may be. */
  length?: readonly [now: number, most: number]
  children: (wiring: Wiring) => ReactNode
}): ReactNode {
  const own = useId()
  const id = props.id ?? own
  const { fault, length } = props
  return (
    <div className="form-field">
      <label htmlFor={id}>{props.label}</label>
      <div className="field">
        {props.children({
          id,
          'aria-invalid': fault ? true : undefined,
          'aria-describedby': `${id}-note`,
        })}
      </div>
      <p id={`${id}-note`} className="form-note">
        {fault ? <span className="note">{fault}</span> : props.hint}
        {length && (
          <span className={length[0] > length[1] ? 'count over' : 'count'}>
            {numeral(length[0])} / {numeral(length[1])}
            <span className="offscreen"> characters</span>
          </span>
        )}
      </p>
    </div>
  )
}

/** How many characters the server counts in a text. */
export function lengthOf(text: string): number {
  return [...text].length
}
