import type { ReactNode } from 'react'
import { type Draft, limits } from './draft'
import { Field, lengthOf } from './Field'
import type { Faults } from './faults'
import { priorities, types } from './model'
import { capital } from './words'

/** Changes the form, and takes the fault off a field of the API. */
export type Put = (more: Partial<Draft>, field?: string) => void

/** What a notification says and how it looks. */
export function ComposeFields(props: { draft: Draft; faults: Faults; put: Put }): ReactNode {
  const { draft, faults, put } = props
  const text = (
    member: 'title' | 'category' | 'icon' | 'actionUrl' | 'actionText',
    name: 'title' | 'category' | 'icon' | 'action_url' | 'action_text',
    label: string,
    more: { hint?: string; placeholder?: string; type?: string; counted?: boolean } = {},
  ) => (
    <Field
      label={label}
      fault={faults[name]}
      hint={more.hint}
      {...(more.counted && { length: [lengthOf(draft[member].trim()), limits[name]] as const })}
    >
      {wiring => (
        <input
          {...wiring}
          name={name}
          type={more.type ?? 'text'}
          autoComplete="off"
          placeholder={more.placeholder}
          value={draft[member]}
          onChange={event => put({ [member]: event.target.value }, name)}
        />
      )}
    </Field>
  )
  return (
    <section className="card form-part" aria-labelledby="part-text">
      <h2 id="part-text">What it says</h2>
      {text('title', 'title', 'Title', { counted: true })}
      <Field
        label="Message"
        fault={faults['message']}
        hint="Plain text. HTML is shown as it is typed."
        length={[lengthOf(draft.message), limits.message]}
      >
        {wiring => (
          <textarea
            {...wiring}
            name="message"
            rows={5}
            value={draft.message}
            onChange={event => put({ message: event.target.value }, 'message')}
          />
        )}
      </Field>
      <div className="form-pair">
        <Pick
          label="Type"
          name="type"
          value={draft.type}
          from={types}
          fault={faults['type']}
          change={type => put({ type }, 'type')}
        />
        <Pick
          label="Priority"
          name="priority"
          value={draft.priority}
          from={priorities}
          fault={faults['priority']}
          change={priority => put({ priority }, 'priority')}
        />
      </div>
      <div className="form-pair">
        {text('actionUrl', 'action_url', 'Link', {
          hint: 'https://…, or a path of this host such as /news.',
        })}
        {text('actionText', 'action_text', "Link's text", { counted: true })}
      </div>
      <details className="form-more" open={hasFault(faults) || undefined}>
        <summary>More: category, importance, icon, colour, data</summary>
        <div className="form-pair">
          {text('category', 'category', 'Category', { counted: true })}
          <Field label="Importance" fault={faults['importance']} hint="0 to 100.">
            {wiring => (
              <input
                {...wiring}
                name="importance"
                inputMode="numeric"
                value={draft.importance}
                onChange={event => put({ importance: event.target.value }, 'importance')}
              />
            )}
          </Field>
        </div>
        <div className="form-pair">
          {text('icon', 'icon', 'Icon', { hint: 'A name that your pages know, or an emoji.' })}
          <Field label="Colour" fault={faults['color']} hint="As in #1e90ff; empty for none.">
            {wiring => (
              <>
                <input
                  {...wiring}
                  name="color"
                  autoComplete="off"
                  value={draft.color}
                  onChange={event => put({ color: event.target.value }, 'color')}
                />
                <input
                  type="color"
                  aria-label="Pick a colour"
                  value={
                    /^#[0-9a-f]{6}$/i.test(draft.color) ? draft.color.toLowerCase() : '#808080'
                  }
                  onChange={event => put({ color: event.target.value }, 'color')}
                />
              </>
            )}
          </Field>
        </div>
        <Field
          label="Data"
          fault={faults['data']}
          hint="A JSON object for your own pages, up to 8 KB."
        >
          {wiring => (
            <textarea
              {...wiring}
              name="data"
              className="code"
              rows={3}
              spellCheck={false}
              placeholder="{}"
              value={draft.data}
              onChange={event => put({ data: event.target.value }, 'data')}
            />
          )}
        </Field>
        <label className="check">
          <input
            type="checkbox"
            checked={draft.dismissible}
            onChange={event => put({ dismissible: event.target.checked }, 'dismissible')}
          />
          Receivers may dismiss it
        </label>
      </details>
    </section>
  )
}

/** A fault in the part that is folded away opens it. */
function hasFault(faults: Faults): boolean {
  return ['category', 'importance', 'icon', 'color', 'data', 'dismissible'].some(
    name => faults[name] !== undefined,
  )
}

function Pick<T extends string>(props: {
  label: string
  name: string
  value: T
  from: readonly T[]
  fault: string | undefined
  change: (value: T) => void
}): ReactNode {
  return (
    <Field label={props.label} fault={props.fault}>
      {wiring => (
        <select
          {...wiring}
          name={props.name}
          value={props.value}
          onChange={event => props.change(event.target.value as T)}
        >
          {props.from.map(one => (
            <option key={one} value={one}>
              {capital(one)}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
