import type { ReactNode } from 'react'
import { Time } from '../../kit/Time'
import type { FailedGroup } from '../model'
import { type Column, Table } from '../parts/Table'
import { count } from '../parts/words'
import { useAnswer } from '../queries'
import type { Chosen } from './ChangeDialog'

/** Failed jobs by their errors, the most frequent first. */
export function Groups(props: {
  queue: string
  q: string
  error: string
  pick: (queue: string, error: string) => void
  choose: (chosen: Chosen) => void
}): ReactNode {
  const { queue, q, error, pick, choose } = props
  const { data } = useAnswer<{ groups: readonly FailedGroup[]; complete: boolean }>(
    'failed/groups',
    { queue, q },
    5000,
  )
  // What is wrong with the list below shows there.
  if (data === undefined || data.groups.length === 0) return null
  const columns: readonly Column<FailedGroup>[] = [
    { name: 'Jobs', number: false, of: group => <strong>{count(group.count)}</strong> },
    {
      name: 'Error',
      of: group => (
        <button
          type="button"
          className="c-open c-error"
          aria-pressed={error === group.error}
          onClick={() => pick(group.queue, error === group.error ? '' : group.error)}
        >
          {group.error || 'no error was kept'}
        </button>
      ),
    },
    { name: 'Queue', of: group => group.queue },
    {
      name: 'Between',
      of: group => (
        <>
          <Time at={group.first} />
          {group.count > 1 && (
            <>
              {' and '}
              <Time at={group.last} />
            </>
          )}
        </>
      ),
    },
    {
      name: 'Actions',
      silent: true,
      of: group => {
        const filter = { queue: group.queue, error: group.error, q }
        return (
          <div className="c-actions">
            <button
              type="button"
              className="quiet"
              onClick={() => choose({ what: 'retry', filter, count: group.count })}
            >
              Retry {count(group.count)}
            </button>
            <button
              type="button"
              className="quiet"
              onClick={() => choose({ what: 'forget', filter, count: group.count })}
            >
              Forget
            </button>
          </div>
        )
      },
    },
  ]
  return (
    <section className="card c-section" aria-labelledby="groups">
      <header className="c-card-head">
        <h2 id="groups">By error</h2>
        {!data.complete && <span className="c-small">There are more than could be counted.</span>}
      </header>
      <Table
        label="Failed jobs by error"
        columns={columns}
        rows={data.groups}
        keyOf={group => `${group.queue} ${group.error}`}
      />
    </section>
  )
}
