import { type ReactNode, useMemo } from 'react'
import { Chart } from '../../kit/Chart'
import { wordsOf } from '../../kit/States'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import type { Check, Part, Probes } from '../model'
import { Answered } from '../parts/ListOf'
import { type Column, Table } from '../parts/Table'
import { ms } from '../parts/words'
import { useAct, useAnswer } from '../queries'

const tones: Readonly<Record<string, string>> = {
  ok: 'good',
  degraded: 'fault',
  passed: 'good',
  failed: 'fault',
}

const badge = (word: string) => <span className={`badge ${tones[word] ?? ''}`}>{word}</span>

const parts: readonly Column<Part>[] = [
  { name: 'Part', of: ({ name }) => <strong>{name.replaceAll('_', ' ')}</strong> },
  { name: 'State', of: ({ state }) => badge(state) },
  { name: 'Note', of: ({ note }) => note || '–' },
  { name: 'Since', of: ({ since }) => <Time at={since} /> },
  { name: 'Check took', number: true, of: ({ took_ms }) => ms(took_ms) },
]

const checks: readonly Column<Check>[] = [
  { name: 'Check', of: ({ name }) => <strong>{name.replaceAll('_', ' ')}</strong> },
  { name: 'Result', of: ({ result }) => badge(result) },
  { name: 'Seen', of: ({ seen }) => seen },
  { name: 'What to do', of: ({ fix }) => fix || '–' },
]

/** How each part of the server does, and what the doctor finds. */
export function HealthPage(): ReactNode {
  usePageTitle('Health')
  const answer = useAnswer<{ parts: readonly Part[]; probe: Probes }>('health', {}, 3000)
  return (
    <>
      <header className="page-head">
        <h1>Health</h1>
      </header>
      <Answered answer={answer}>
        {health => (
          <>
            <section className="card c-section">
              <Table label="Parts" columns={parts} rows={health.parts} keyOf={({ name }) => name} />
            </section>
            <Latency probes={health.probe} />
          </>
        )}
      </Answered>
      <Doctor />
    </>
  )
}

function Latency(props: { probes: Probes }): ReactNode {
  const { probes } = props
  const last = probes.last?.[0]
  const [times, series] = useMemo(() => {
    const all = [...(probes.last ?? [])].reverse()
    return [
      all.map(({ at }) => Date.parse(at)),
      [{ name: 'Latency', values: all.map(one => (one.error ? null : one.ms)) }],
    ]
  }, [probes.last])
  return (
    <section className="card c-section">
      <Chart
        title="Latency of a probe that goes the whole way"
        unit="ms"
        times={times}
        series={series}
        bucket="minute"
        height={160}
      />
      {probes.every_s === 0 && <p className="muted">Probes are switched off.</p>}
      {last?.error && (
        <p className="c-error">
          The last one did not arrive: {last.error} (<Time at={last.at} />)
        </p>
      )}
    </section>
  )
}

function Doctor(): ReactNode {
  const act = useAct<{ checks: readonly Check[]; failed: number }>()
  return (
    <section className="card" aria-labelledby="doctor">
      <header className="c-card-head">
        <h2 id="doctor">Doctor</h2>
        <button
          type="button"
          aria-disabled={act.isPending}
          onClick={() => {
            if (!act.isPending) act.mutate({ name: 'doctor' })
          }}
        >
          {act.isPending ? 'Examining' : 'Examine the server'}
        </button>
      </header>
      <div role="status">
        {act.error !== null && <p className="c-error">{wordsOf(act.error)}</p>}
        {act.data && (
          <p className="c-section">
            {act.data.failed === 0
              ? 'Every check passed or does not apply.'
              : `${act.data.failed} of ${act.data.checks.length} checks failed.`}
          </p>
        )}
      </div>
      {act.data ? (
        <Table
          label="Doctor’s checks"
          columns={checks}
          rows={act.data.checks}
          keyOf={({ name }) => name}
        />
      ) : (
        <p className="muted">
          It tries every part, and sends an event the whole way. From outside,{' '}
          <code>belfry doctor</code> also tests ports, proxies and certificates.
        </p>
      )}
    </section>
  )
}
