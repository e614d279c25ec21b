import type { ReactNode } from 'react'
import type { Put } from './ComposeFields'
import type { Draft } from './draft'
import { Field } from './Field'
import { type Target, targetTypes } from './model'
import { PeoplePicker } from './PeoplePicker'
import { RolePicker } from './RolePicker'
import { targetWord } from './words'

/** Whom it is for. */
export function ComposeTarget(props: {
  draft: Draft
  fault: string | undefined
  put: Put
}): ReactNode {
  const { draft, fault, put } = props
  const { target } = draft
  const change = (more: Partial<Target>) => put({ target: { ...target, ...more } }, 'target')
  return (
    <fieldset
      className="card form-part"
      aria-describedby="target-note"
      aria-invalid={fault ? true : undefined}
      tabIndex={-1}
    >
      <legend>Whom it is for</legend>
      <div className="choices">
        {targetTypes.map(type => (
          <label key={type} className="check">
            <input
              type="radio"
              name="target"
              checked={target.type === type}
              onChange={() => change({ type })}
            />
            {targetWord(type)}
          </label>
        ))}
      </div>
      {target.type === 'roles' && (
        <RolePicker chosen={target.roles} change={roles => change({ roles })} />
      )}
      {target.type === 'users' && (
        <PeoplePicker chosen={target.users} change={users => change({ users })} />
      )}
      {(target.type === 'active' || target.type === 'inactive') && (
        <Field
          label={target.type === 'active' ? 'Signed in within' : 'Not signed in for'}
          hint="Days, counted back from when it goes out."
        >
          {wiring => (
            <input
              {...wiring}
              type="number"
              name="days"
              min={1}
              max={3650}
              value={target.days || ''}
              onChange={event => change({ days: event.target.valueAsNumber || 0 })}
            />
          )}
        </Field>
      )}
      <p id="target-note" className="note" role={fault ? 'alert' : undefined}>
        {fault}
      </p>
    </fieldset>
  )
}
