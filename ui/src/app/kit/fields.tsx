import { type ReactNode, useEffect, useState } from 'react'
import { useSettled } from './useSettled'

/** A field whose text takes effect once the typing pauses. */
export function Typed(props: {
  label: string
  value: string
  /** How many characters it takes; default 200. */
  most?: number
  change: (value: string) => void
}): ReactNode {
  const { value, change, most = 200 } = props
  const [text, setText] = useState(value)
  const settled = useSettled(text, 300)
  // biome-ignore lint/correctness/useExhaustiveDependencies: only what was typed is handed on
  useEffect(() => {
    if (settled === text && settled.trim() !== value) change(settled.trim())
  }, [settled])
  // Somebody went back, or cleared the filters.
  useEffect(() => setText(old => (old.trim() === value ? old : value)), [value])
  return (
    <label>
      {props.label}
      <span className="field">
        <input
          type="search"
          value={text}
          maxLength={most}
          autoComplete="off"
          onChange={event => setText(event.target.value)}
        />
      </span>
    </label>
  )
}

/** A choice of one, or of any. */
export function Choice(props: {
  label: string
  value: string
  from: readonly { readonly value: string; readonly label: string }[]
  any?: string
  change: (value: string) => void
}): ReactNode {
  const known = props.value === '' || props.from.some(({ value }) => value === props.value)
  return (
    <label>
      {props.label}
      <span className="field">
        <select value={props.value} onChange={event => props.change(event.target.value)}>
          <option value="">{props.any ?? 'Any'}</option>
          {!known && <option value={props.value}>{props.value}</option>}
          {props.from.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </span>
    </label>
  )
}
