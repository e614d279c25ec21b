import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { wordsOf } from '../kit/States'
import { useSettled } from '../kit/useSettled'
import { type Found, findPeople, peopleNamed } from './api'
import { numeral } from './words'

const named = 100 // whose names are shown

/** People found by name or email, and those chosen so far. */
export function PeoplePicker(props: {
  chosen: readonly string[]
  change: (ids: readonly string[]) => void
}): ReactNode {
  const { chosen, change } = props
  const [known, setKnown] = useState<ReadonlyMap<string, Found>>(new Map())
  const shown = chosen.slice(0, named)
  const unknown = shown.filter(id => !known.has(id))
  const names = useQuery({
    queryKey: ['manage', 'named', unknown],
    queryFn: ({ signal }) => peopleNamed(unknown, signal),
    enabled: unknown.length > 0,
  })
  const nameOf = (id: string) => {
    const found = known.get(id) ?? names.data?.find(one => one.id === id)
    return found === undefined ? `#${id}` : found.name || found.email
  }
  return (
    <>
      <Search
        chosen={chosen}
        add={found => {
          setKnown(new Map(known).set(found.id, found))
          change([...chosen, found.id])
        }}
      />
      {chosen.length > 0 && (
        <ul className="chips" aria-label="Chosen people">
          {shown.map(id => (
            <li key={id}>
              {nameOf(id)}
              <button
                type="button"
                aria-label={`Remove ${nameOf(id)}`}
                onClick={() => change(chosen.filter(one => one !== id))}
              >
                <span aria-hidden="true">×</span>
              </button>
            </li>
          ))}
          {chosen.length > named && <li>and {numeral(chosen.length - named)} more</li>}
        </ul>
      )}
    </>
  )
}

/** A field that offers people who fit what is typed. */
function Search(props: { chosen: readonly string[]; add: (found: Found) => void }): ReactNode {
  const { chosen, add } = props
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const input = useRef<HTMLInputElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const id = useId()
  const settled = useSettled(text.trim(), 200)
  const found = useQuery({
    queryKey: ['manage', 'people', settled],
    queryFn: ({ signal }) => findPeople(settled, signal),
    enabled: settled !== '',
    placeholderData: keepPreviousData,
  })
  const offered =
    text.trim() === '' ? [] : (found.data?.people ?? []).filter(one => !chosen.includes(one.id))
  useEffect(() => {
    if (offered.length > 0) list.current?.scrollIntoView({ block: 'nearest' })
  }, [offered.length])
  const current = Math.min(at, Math.max(0, offered.length - 1))
  const choose = (one: Found | undefined) => {
    if (one === undefined) return
    add(one)
    setText('')
    setAt(0)
    input.current?.focus()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined && offered.length > 0) {
      setAt((current + step + offered.length) % offered.length)
    } else if (event.key === 'Enter') {
      // Not the form's own.
      if (settled === text.trim()) choose(offered[current])
    } else if (event.key === 'Escape' && text !== '') setText('')
    else return
    event.preventDefault()
  }
  return (
    <div className="people-search">
      <label htmlFor={id}>Find people</label>
      <div className="field">
        <input
          ref={input}
          id={id}
          type="text"
          role="combobox"
          aria-expanded={offered.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={offered.length > 0 ? `${id}-${current}` : undefined}
          autoComplete="off"
          maxLength={100}
          placeholder="Name or email"
          value={text}
          onChange={event => {
            setText(event.target.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
        />
      </div>
      <div
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label="Fitting people"
        className="offers"
      >
        {offered.map((one, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keys
          <div
            key={one.id}
            id={`${id}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === current}
            onClick={() => choose(one)}
          >
            {one.name} <span className="muted">{one.email}</span>
          </div>
        ))}
      </div>
      <p className="form-note" role="status">
        {found.isError && <span className="note">{wordsOf(found.error)}</span>}
        {settled !== '' &&
          found.isSuccess &&
          offered.length === 0 &&
          text !== '' &&
          'Nobody else fits.'}
        {offered.length > 0 && found.data?.more && 'There are others: type more of the name.'}
      </p>
    </div>
  )
}
