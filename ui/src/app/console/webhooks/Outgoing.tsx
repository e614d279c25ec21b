import { type ReactNode, useState } from 'react'
import { Time } from '../../kit/Time'
import type { Call } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { Choice, Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import type { Column } from '../parts/Table'
import { ms } from '../parts/words'
import { useList } from '../queries'
import { AgainDialog } from './AgainDialog'
import { CallDialog } from './CallDialog'
import { SendAgain } from './SendAgain'
import { choices, eventsOf, outcomeOf } from './words'

/** Requests to applications' endpoints. */
export function Outgoing(): ReactNode {
  const [filter, change] = useFilters(['q', 'app', 'outcome'])
  const list = useList<Call>('webhooks/out', 'calls', filter, 3000)
  const [opened, setOpened] = useState('')
  const [asking, setAsking] = useState(false)
  const narrowed = Object.values(filter).some(value => value !== '')
  const shown = list.rows?.find(({ id }) => id === opened)
  const failed = list.rows?.some(call => call.outcome === 'dropped' && !call.resent_at && call.body)
  return (
    <>
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
        <Choice
          label="Outcome"
          value={filter.outcome}
          from={choices}
          change={outcome => change({ outcome })}
        />
        {failed && (
          <button type="button" className="quiet" onClick={() => setAsking(true)}>
            {filter.q || filter.app ? 'Send failed that fit again' : 'Send all failed again'}
          </button>
        )}
      </search>
      <section className="card">
        <ListOf
          label="Webhooks sent"
          list={list}
          columns={columnsOf(setOpened)}
          keyOf={({ id }) => id}
          empty={
            narrowed ? (
              <Nothing title="Nothing fits">No webhook fits these filters.</Nothing>
            ) : (
              <Nothing title="No webhook was sent">
                Apps name their endpoints in the configuration. What is sent to them shows here;
                what fails is kept for days.
              </Nothing>
            )
          }
        />
      </section>
      {shown && <CallDialog call={shown} onClose={() => setOpened('')} />}
      {asking && <AgainDialog filter={filter} onClose={() => setAsking(false)} />}
    </>
  )
}

function columnsOf(open: (id: string) => void): readonly Column<Call>[] {
  return [
    { name: 'At', of: ({ at }) => <Time at={at} /> },
    {
      name: 'Events',
      of: call => (
        <>
          <button type="button" className="c-open" onClick={() => open(call.id)}>
            {eventsOf(call)}
          </button>
          <div className="c-small c-break">{call.channels.join(', ')}</div>
        </>
      ),
    },
    {
      name: 'To',
      of: ({ url, app }) => (
        <>
          <span className="c-break">{url}</span>
          <div className="c-small">app {app}</div>
        </>
      ),
    },
    {
      name: 'Outcome',
      of: ({ outcome, status, error, resent_at }) => (
        <>
          <span className={`badge ${outcomeOf(outcome).tone}`}>{outcomeOf(outcome).name}</span>{' '}
          {status || ''}
          {error && <div className="c-error c-small">{error}</div>}
          {resent_at && (
            <div className="c-small">
              sent again <Time at={resent_at} />
            </div>
          )}
        </>
      ),
    },
    { name: 'Tries', number: true, of: ({ tries }) => tries.length },
    { name: 'Took', number: true, of: ({ tries, took_ms }) => (tries.length ? ms(took_ms) : '') },
    {
      name: 'Actions',
      silent: true,
      of: call => (
        <div className="c-actions">
          <SendAgain call={call} />
        </div>
      ),
    },
  ]
}
