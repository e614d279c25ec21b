import { type ReactNode, useEffect, useRef, useState } from 'react'
import { type Filters, narrowed, priorities, statuses, types } from './filters'
import type { Place } from './useFilters'
import { priorityWords, statusWords, typeWords } from './words'

/** After this much silence a search begins, in milliseconds. */
const pause = 250

/** Which notifications are listed. */
export function FilterBar(props: {
  filters: Filters
  pick: Place['pick']
  unread: number
  /** Those that are known. */
  categories: readonly string[]
}): ReactNode {
  const { filters, pick, unread } = props
  const categories = props.categories.includes(filters.category)
    ? props.categories
    : [filters.category, ...props.categories].filter(name => name !== '')
  return (
    <search className="n-filters" aria-label="Filters">
      <fieldset className="n-statuses" aria-label="Status">
        {statuses.map(status => (
          <button
            key={status}
            type="button"
            aria-pressed={filters.status === status}
            onClick={() => pick({ status })}
          >
            {statusWords[status]}
            {status === 'unread' && unread > 0 && <span className="n-count">{unread}</span>}
          </button>
        ))}
      </fieldset>
      <div className="n-narrow">
        <SearchBox value={filters.q} pick={q => pick({ q }, true)} />
        <Choice
          name="Type"
          value={filters.type}
          options={types.map(type => [type, typeWords[type] ?? type])}
          pick={type => pick({ type })}
        />
        <Choice
          name="Priority"
          value={filters.priority}
          options={priorities.map(one => [one, priorityWords[one] ?? one])}
          pick={priority => pick({ priority })}
        />
        <Choice
          name="Category"
          value={filters.category}
          options={categories.map(one => [one, one])}
          pick={category => pick({ category })}
        />
        {narrowed(filters) && (
          <button
            type="button"
            className="quiet"
            onClick={() => pick({ type: '', priority: '', category: '', q: '' })}
          >
            Clear
          </button>
        )}
      </div>
    </search>
  )
}

function Choice(props: {
  name: string
  value: string
  options: readonly (readonly [value: string, text: string])[]
  pick: (value: string) => void
}): ReactNode {
  return (
    <select
      className="plain"
      aria-label={props.name}
      data-set={props.value !== ''}
      value={props.value}
      onChange={event => props.pick(event.target.value)}
    >
      <option value="">{props.name}: any</option>
      {props.options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  )
}

/** Searches once somebody pauses, and at Enter at once. */
function SearchBox(props: { value: string; pick: (text: string) => void }): ReactNode {
  const { value, pick } = props
  const [text, setText] = useState(value)
  const latest = useRef(pick)
  latest.current = pick
  // The address may change otherwise: by Clear, or by going back.
  useEffect(() => setText(now => (now.trim() === value ? now : value)), [value])
  useEffect(() => {
    const wanted = text.trim()
    if (wanted === value.trim()) return
    const timer = window.setTimeout(() => latest.current(wanted), pause)
    return () => window.clearTimeout(timer)
  }, [text, value])
  return (
    <input
      type="search"
      className="n-search"
      aria-label="Search"
      placeholder="Search"
      maxLength={200}
      value={text}
      onChange={event => setText(event.target.value)}
      onKeyDown={event => {
        if (event.key === 'Enter') pick(text.trim())
      }}
    />
  )
}
