import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { Refusal } from '../../../request'
import { Dialog } from '../../kit/Dialog'
import { wordsOf } from '../../kit/States'
import { Switch } from '../../kit/Switch'
import type { Created } from '../model'
import { useAct } from '../queries'

/** Adds an app to the database. */
export function AddDialog(props: {
  onClose: () => void
  onCreated: (created: Created) => void
}): ReactNode {
  const id = useId()
  const act = useAct<Created>()
  const [name, setName] = useState('')
  const [clientEvents, setClientEvents] = useState(false)
  const [counts, setCounts] = useState(false)
  const fields = act.error instanceof Refusal ? act.error.fields : {}
  const add = async (event: FormEvent) => {
    event.preventDefault()
    if (act.isPending) return
    try {
      const created = await act.mutateAsync({
        name: 'apps',
        body: { name, client_events: clientEvents, subscription_count: counts },
      })
      props.onClose()
      props.onCreated(created)
      act.reset()
    } catch {
      // It is said below.
    }
  }
  return (
    <Dialog
      title="Add an app"
      open
      onClose={props.onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={props.onClose}>
            Back
          </button>
          <button type="submit" form={`${id}form`} aria-disabled={act.isPending}>
            Add
          </button>
        </>
      }
    >
      <form id={`${id}form`} className="c-stack" onSubmit={event => void add(event)}>
        <div>
          <label htmlFor={`${id}name`}>Name</label>
          <span className="field">
            <input
              id={`${id}name`}
              value={name}
              required
              maxLength={100}
              autoComplete="off"
              aria-invalid={fields['name'] !== undefined}
              onChange={({ target }) => setName(target.value)}
            />
          </span>
        </div>
        <Switch label="Clients may send events" on={clientEvents} onChange={setClientEvents} />
        <Switch label="Subscribers are told how many they are" on={counts} onChange={setCounts} />
        {act.error !== null && (
          <p className="note" role="alert">
            {Object.values(fields).join(' ') || wordsOf(act.error)}
          </p>
        )}
      </form>
    </Dialog>
  )
}
