import { type ReactNode, useId, useState } from 'react'
import { Dialog } from '../kit/Dialog'
import { inFull } from '../kit/Time'
import { bodyOf, type Draft, draftOf } from './draft'
import type { Managed } from './model'
import { fromInput } from './times'
import { capital, targetInWords } from './words'

/** A part of the form in which two versions can differ. */
interface Part {
  readonly name: string
  readonly label: string
  /** The members of the form that it is made of. */
  readonly members: readonly (keyof Draft)[]
  readonly shown: (draft: Draft) => string
}

const plain = (name: string, label: string, member: keyof Draft): Part => ({
  name,
  label,
  members: [member],
  shown: draft => String(draft[member]),
})

const moment = (time: string) => (time === '' ? '' : inFull(fromInput(time)))

const parts: readonly Part[] = [
  plain('title', 'Title', 'title'),
  plain('message', 'Message', 'message'),
  { ...plain('type', 'Type', 'type'), shown: draft => capital(draft.type) },
  { ...plain('priority', 'Priority', 'priority'), shown: draft => capital(draft.priority) },
  plain('category', 'Category', 'category'),
  plain('importance', 'Importance', 'importance'),
  plain('icon', 'Icon', 'icon'),
  plain('color', 'Colour', 'color'),
  plain('action_url', 'Link', 'actionUrl'),
  plain('action_text', "Link's text", 'actionText'),
  {
    ...plain('target', 'Whom it is for', 'target'),
    shown: draft => capital(targetInWords(draft.target)),
  },
  {
    name: 'scheduled_at',
    label: 'Goes out',
    members: ['later', 'scheduled'],
    shown: draft => (draft.later ? moment(draft.scheduled) : 'When it is sent'),
  },
  {
    ...plain('expires_at', 'Expires', 'expires'),
    shown: draft => moment(draft.expires) || 'Never',
  },
  {
    ...plain('dismissible', 'May be dismissed', 'dismissible'),
    shown: draft => (draft.dismissible ? 'Yes' : 'No'),
  },
  plain('data', 'Data', 'data'),
]

/** Shows both versions where they differ, and lets choose for each part. */
export function Conflict(props: {
  mine: Draft
  /** What both began with. */
  before: Draft
  theirs: Managed
  busy: boolean
  onClose: () => void
  onSettle: (content: Draft) => void
}): ReactNode {
  const { mine, before, busy, onClose, onSettle } = props
  const theirs = draftOf(props.theirs)
  const differing = differences(mine, theirs)
  // What only they have changed is theirs, until it is chosen otherwise.
  const [taken, setTaken] = useState<ReadonlySet<string>>(() => {
    const changed = new Set(differences(mine, before).map(({ name }) => name))
    return new Set(differing.map(({ name }) => name).filter(name => !changed.has(name)))
  })
  const take = (name: string, their: boolean) => {
    const next = new Set(taken)
    if (their) next.add(name)
    else next.delete(name)
    setTaken(next)
  }
  return (
    <Dialog
      title="Somebody else has changed it"
      open
      wide
      onClose={onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={onClose}>
            Go on editing
          </button>
          <button type="button" className="quiet" onClick={() => onSettle(theirs)}>
            Take all of theirs
          </button>
          <button
            type="button"
            aria-disabled={busy}
            onClick={() => onSettle(merged(mine, theirs, taken))}
          >
            Save what is chosen
          </button>
        </>
      }
    >
      <p className="conflict-lead">
        {differing.length === 0
          ? 'Both versions say the same.'
          : 'The two versions differ here. Choose for each part which one to keep.'}
      </p>
      {differing.map(part => (
        <Choice
          key={part.name}
          part={part}
          mine={mine}
          theirs={theirs}
          their={taken.has(part.name)}
          choose={their => take(part.name, their)}
        />
      ))}
    </Dialog>
  )
}

function differences(one: Draft, other: Draft): readonly Part[] {
  const [a, b] = [bodyOf(one), bodyOf(other)]
  return parts.filter(({ name }) => JSON.stringify(a[name]) !== JSON.stringify(b[name]))
}

function merged(mine: Draft, theirs: Draft, taken: ReadonlySet<string>): Draft {
  const chosen = parts.filter(({ name }) => taken.has(name)).flatMap(({ members }) => members)
  return { ...mine, ...Object.fromEntries(chosen.map(member => [member, theirs[member]])) }
}

function Choice(props: {
  part: Part
  mine: Draft
  theirs: Draft
  their: boolean
  choose: (their: boolean) => void
}): ReactNode {
  const { part, mine, theirs, their, choose } = props
  const name = useId()
  const side = (label: string, draft: Draft, isTheirs: boolean) => (
    <label className="conflict-side">
      <span className="check">
        <input
          type="radio"
          name={name}
          checked={their === isTheirs}
          onChange={() => choose(isTheirs)}
        />
        {label}
      </span>
      <span className="conflict-text">
        {part.shown(draft) || <span className="muted">empty</span>}
      </span>
    </label>
  )
  return (
    <fieldset className="conflict">
      <legend>{part.label}</legend>
      {side('Yours', mine, false)}
      {side('Theirs', theirs, true)}
    </fieldset>
  )
}
