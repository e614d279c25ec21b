import { type ReactNode, useEffect, useState } from 'react'
import { Link } from 'wouter'
import type { Filter } from './api'
import { priorities, statuses, types } from './model'
import { useSettled } from './useSettled'
import { capital, statusWord } from './words'

/** Tabs of statuses, and fields that narrow the list down further. */
export function Filters(props: {
  filter: Filter
  change: (more: Partial<Filter>) => void
  hrefWith: (more: Partial<Filter>) => string
}): ReactNode {
  const { filter, change, hrefWith } = props
  const tab = (status: string, label: string) => (
    <Link
      key={status}
      href={hrefWith({ status })}
      aria-current={filter.status === status ? 'true' : undefined}
    >
      {label}
    </Link>
  )
  return (
    <>
      <nav className="tabs" aria-label="Status">
        {tab('', 'All')}
        {statuses.map(status => tab(status, statusWord(status)))}
      </nav>
      <search className="filters">
        <Typed label="Search" name="q" value={filter.q} change={q => change({ q })} />
        <Choice label="Type" value={filter.type} from={types} change={type => change({ type })} />
        <Choice
          label="Priority"
          value={filter.priority}
          from={priorities}
          change={priority => change({ priority })}
        />
        <Typed
          label="Category"
          name="category"
          value={filter.category}
          change={category => change({ category })}
        />
      </search>
    </>
  )
}

/** A field whose text takes effect once the typing pauses. */
function Typed(props: {
  label: string
  name: string
  value: string
  change: (value: string) => void
}): ReactNode {
  const { name, value, change } = props
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
          name={name}
          value={text}
          maxLength={100}
          autoComplete="off"
          onChange={event => setText(event.target.value)}
        />
      </span>
    </label>
  )
}

function Choice(props: {
  label: string
  value: string
  from: readonly string[]
  change: (value: string) => void
}): ReactNode {
  return (
    <label>
      {props.label}
      <span className="field">
        <select value={props.value} onChange={event => props.change(event.target.value)}>
          <option value="">Any</option>
          {props.from.map(one => (
            <option key={one} value={one}>
              {capital(one)}
            </option>
          ))}
        </select>
      </span>
    </label>
  )
}
