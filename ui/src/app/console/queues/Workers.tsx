import type { ReactNode } from 'react'
import { Time } from '../../kit/Time'
import type { Worker } from '../model'
import { Nothing } from '../parts/ListOf'
import { type Column, Table } from '../parts/Table'
import { count } from '../parts/words'

const tones: Readonly<Record<string, string>> = { busy: 'good', silent: 'fault' }

const columns: readonly Column<Worker>[] = [
  {
    name: 'Worker',
    of: ({ id, name, host, pid }) => (
      <>
        <strong>{name || `${host} ${pid}`}</strong>
        <div className="c-small">
          {host}, process {pid}, <code>{id}</code>
        </div>
      </>
    ),
  },
  {
    name: 'State',
    of: ({ state }) => <span className={`badge ${tones[state] ?? ''}`}>{state}</span>,
  },
  { name: 'Queues', of: ({ queues }) => queues.join(', ') },
  {
    name: 'Jobs',
    number: true,
    of: ({ running, begun, concurrency }) => (
      <>
        {count(running)} of {count(concurrency)}
        <div className="c-small">{count(begun)} begun</div>
      </>
    ),
  },
  {
    name: 'Version',
    of: ({ version, other_version }) => (
      <>
        {version} {other_version && <span className="badge warn">another version</span>}
      </>
    ),
  },
  { name: 'Started', of: ({ started_at }) => <Time at={started_at} /> },
  { name: 'Last seen', of: ({ last_seen }) => <Time at={last_seen} /> },
]

/** Workers of all processes. */
export function Workers(props: { workers: readonly Worker[] }): ReactNode {
  return (
    <section className="card" aria-labelledby="workers">
      <header className="c-card-head">
        <h2 id="workers">Workers</h2>
      </header>
      {props.workers.length === 0 ? (
        <Nothing title="No worker is alive">
          Jobs wait until there is one: start it with <code>belfry broadcast:start</code>, or serve
          without <code>--no-workers</code>.
        </Nothing>
      ) : (
        <Table label="Workers" columns={columns} rows={props.workers} keyOf={({ id }) => id} />
      )}
    </section>
  )
}
