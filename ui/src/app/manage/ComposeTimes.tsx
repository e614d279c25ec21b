import type { ReactNode } from 'react'
import type { Put } from './ComposeFields'
import type { Draft } from './draft'
import type { Faults } from './faults'
import { TimeField } from './TimeField'
import { inMinutes, nextHour, zone } from './times'

/** When it goes out, and until when it is shown. */
export function ComposeTimes(props: { draft: Draft; faults: Faults; put: Put }): ReactNode {
  const { draft, faults, put } = props
  const choose = (later: boolean) =>
    put({ later, scheduled: draft.scheduled || (later ? nextHour(9) : '') }, 'scheduled_at')
  return (
    <fieldset className="card form-part">
      <legend>When</legend>
      <div className="choices">
        <label className="check">
          <input type="radio" name="when" checked={!draft.later} onChange={() => choose(false)} />
          When I send it
        </label>
        <label className="check">
          <input type="radio" name="when" checked={draft.later} onChange={() => choose(true)} />
          At a time
        </label>
      </div>
      {draft.later && (
        <TimeField
          label="Goes out at"
          value={draft.scheduled}
          change={scheduled => put({ scheduled }, 'scheduled_at')}
          fault={faults['scheduled_at']}
        />
      )}
      <TimeField
        label="Expires"
        value={draft.expires}
        change={expires => put({ expires }, 'expires_at')}
        fault={faults['expires_at']}
        hint={`It vanishes then, in your zone, ${zone()}. Empty: never.`}
        choices={expiries}
      />
    </fieldset>
  )
}

const expiries = [
  { label: 'In a day', value: () => inMinutes(24 * 60) },
  { label: 'In a week', value: () => inMinutes(7 * 24 * 60) },
  { label: 'Never', value: () => '' },
]
