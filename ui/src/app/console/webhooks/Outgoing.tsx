import type { ReactNode } from 'react'
import { Time } from '../../kit/Time'
import { part } from '../api'
import type { Attempt } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { Choice, Typed, useFilters } from '../parts/Filters'
import { ListOf, Nothing } from '../parts/ListOf'
import { useSay } from '../parts/Said'
import type { Column } from '../parts/Table'
import { ms } from '../parts/words'
import { useAct, useList } from '../queries'

const tones: Readonly<Record<string, string>> = {
  delivered: 'good',
  retrying: 'warn',
  dropped: 'fault',
}

const outcomes = ['delivered', 'retrying', 'dropped'].map(value => ({ value, label: value }))

const columns: readonly Column<Attempt>[] = [
  { name: 'At', of: ({ at }) => <Time at={at} /> },
  {
    name: 'To',
    of: ({ url, app }) => (
      <>
        <span className="c-break">{url}</span>
        <div className="c-small">app {app}</div>
      </>
    ),
  },
  { name: 'Events', of: ({ events }) => events.join(', ') },
  { name: 'Try', number: true, of: one => one.try },
  {
    name: 'Outcome',
    of: ({ outcome, status, error }) => (
      <>
        <span className={`badge ${tones[outcome] ?? ''}`}>{outcome}</span> {status || ''}
        {error && <div className="c-error c-small">{error}</div>}
      </>
    ),
  },
  { name: 'Took', number: true, of: ({ took_ms }) => ms(took_ms) },
  { name: 'Actions', silent: true, of: one => <Again attempt={one} /> },
]

/** Requests to applications' endpoints, try by try. */
export function Outgoing(): ReactNode {
  const [filter, change] = useFilters(['q', 'app', 'outcome'])
  const list = useList<Attempt>('webhooks/out', 'attempts', filter, 3000)
  return (
    <>
      <search className="c-filters">
        <Typed label="Search" value={filter.q} change={q => change({ q })} />
        <AppChoice value={filter.app} change={app => change({ app })} />
        <Choice
          label="Outcome"
          value={filter.outcome}
          from={outcomes}
          change={outcome => change({ outcome })}
        />
      </search>
      <section className="card">
        <ListOf
          label="Webhooks sent"
          list={list}
          columns={columns}
          keyOf={({ id }) => id}
          empty={
            <Nothing title="No webhook was sent">
              None that fits, since this server started. Apps name their endpoints in the
              configuration.
            </Nothing>
          }
        />
      </section>
    </>
  )
}

function Again(props: { attempt: Attempt }): ReactNode {
  const { id } = props.attempt
  const act = useAct()
  const say = useSay()
  const send = async () => {
    if (act.isPending) return
    try {
      await act.mutateAsync({ name: `webhooks/out/${part(id)}/resend` })
      say('It is sent again; the new try shows on top.')
    } catch (cause) {
      say(cause instanceof Error ? cause.message : 'It could not be sent again.')
    }
  }
  return (
    <div className="c-actions">
      <button
        type="button"
        className="quiet"
        aria-disabled={act.isPending}
        onClick={() => void send()}
      >
        Send again
      </button>
    </div>
  )
}
