import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { Refusal } from '../../../request'
import { Dialog } from '../../kit/Dialog'
import { wordsOf } from '../../kit/States'
import { receiptOf } from '../log/words'
import type { Receipt } from '../model'
import { useApps } from '../parts/AppChoice'
import { appWords } from '../parts/words'
import { useAct } from '../queries'
import { EventDialog } from './EventDialog'

interface Accepted {
  readonly id: string
  readonly status: string
  readonly receipt?: Receipt
  readonly reason?: string
}

/** Sends an event by hand, and says what became of it. */
export function SendDialog(props: {
  app?: string
  channel?: string
  onClose: () => void
}): ReactNode {
  const id = useId()
  const act = useAct<Accepted>()
  const apps = useApps() ?? []
  const [app, setApp] = useState(props.app ?? '')
  const [channel, setChannel] = useState(props.channel ?? '')
  const [event, setEvent] = useState('test')
  const [data, setData] = useState('{\n  "message": "A test from the console"\n}')
  const [fault, setFault] = useState('')
  const [timeline, setTimeline] = useState('')
  const fields = act.error instanceof Refusal ? act.error.fields : {}
  const chosen = app || apps[0]?.id || ''
  const send = (submitted: FormEvent) => {
    submitted.preventDefault()
    if (act.isPending) return
    let parsed: unknown
    try {
      parsed = JSON.parse(data)
    } catch {
      setFault('This is no JSON.')
      return
    }
    setFault('')
    act.mutate({ name: 'events', body: { app: chosen, channel, event, data: parsed } })
  }
  if (timeline !== '') return <EventDialog id={timeline} onClose={() => setTimeline('')} />
  const note = (name: string, text: string | undefined) =>
    text && (
      <p className="note" id={`${id}${name}-note`}>
        {text}
      </p>
    )
  return (
    <Dialog
      title="Send a test event"
      open
      onClose={props.onClose}
      actions={
        <>
          <button type="button" className="quiet" onClick={props.onClose}>
            Close
          </button>
          <button type="submit" form={`${id}form`} aria-disabled={act.isPending}>
            Send
          </button>
        </>
      }
    >
      <form id={`${id}form`} className="c-stack" onSubmit={send}>
        <div>
          <label htmlFor={`${id}app`}>App</label>
          <span className="field">
            <select id={`${id}app`} value={chosen} onChange={({ target }) => setApp(target.value)}>
              {apps.map(one => (
                <option key={one.id} value={one.id}>
                  {appWords(one)}
                </option>
              ))}
            </select>
          </span>
        </div>
        <div>
          <label htmlFor={`${id}channel`}>Channel</label>
          <span className="field">
            <input
              id={`${id}channel`}
              value={channel}
              required
              autoComplete="off"
              aria-invalid={fields['channel'] !== undefined}
              onChange={({ target }) => setChannel(target.value)}
            />
          </span>
          {note('channel', fields['channel'])}
        </div>
        <div>
          <label htmlFor={`${id}event`}>Event</label>
          <span className="field">
            <input
              id={`${id}event`}
              value={event}
              required
              autoComplete="off"
              aria-invalid={fields['event'] !== undefined}
              onChange={({ target }) => setEvent(target.value)}
            />
          </span>
          {note('event', fields['event'])}
        </div>
        <div>
          <label htmlFor={`${id}data`}>Data, as JSON</label>
          <span className="field">
            <textarea
              id={`${id}data`}
              className="c-mono"
              rows={5}
              value={data}
              aria-invalid={fault !== ''}
              onChange={({ target }) => setData(target.value)}
            />
          </span>
          {note('data', fault || fields['data'])}
        </div>
        <div role="status">
          {act.error !== null && Object.keys(fields).length === 0 && (
            <p className="note">{wordsOf(act.error)}</p>
          )}
          {act.data && (
            <p data-sent={act.data.id}>
              It is {act.data.status}
              {act.data.receipt && `: ${receiptOf(act.data.receipt)}`}
              {act.data.reason && `: ${act.data.reason}`}.{' '}
              <button
                type="button"
                className="quiet"
                onClick={() => setTimeline(act.data?.id ?? '')}
              >
                Timeline
              </button>
            </p>
          )}
        </div>
      </form>
    </Dialog>
  )
}
