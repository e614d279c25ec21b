import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { Loading } from '../../kit/States'
import { Time } from '../../kit/Time'
import { usePageTitle } from '../../kit/title'
import type { Overview } from '../model'
import { bytes, count, lasting, many, ms, rate } from '../parts/words'
import { useOverview } from '../useStream'
import { Charts } from './Charts'
import { Trouble } from './Trouble'

/** The server at a glance, live. */
export function OverviewPage(): ReactNode {
  usePageTitle('Console')
  const overview = useOverview()
  return (
    <>
      <header className="page-head">
        <h1>Console</h1>
        {overview && <Which of={overview} />}
      </header>
      {overview === undefined ? (
        <Loading />
      ) : (
        <>
          <Figures of={overview} />
          <Charts series={overview.series} />
        </>
      )}
      <Trouble />
    </>
  )
}

function Which(props: { of: Overview }): ReactNode {
  const { version, node, engine, started_at, now } = props.of
  return (
    <p className="muted c-which">
      Belfry {version}
      {node !== '' && (
        <>
          {' '}
          on <code>{node}</code>
        </>
      )}
      , {engine}, up for {lasting((Date.parse(now) - Date.parse(started_at)) / 1000)}
    </p>
  )
}

interface Figure {
  readonly name: string
  readonly value: string
  readonly more: string
  readonly href: string
  readonly bad?: boolean
}

function Figures(props: { of: Overview }): ReactNode {
  const { totals, rates, latency, queues, trace } = props.of
  const figures: readonly Figure[] = [
    {
      name: 'Connections',
      value: count(totals.connections),
      more: `+${rate(rates.connections_opened)} and −${rate(rates.connections_closed)} a second`,
      href: '/connections',
    },
    {
      name: 'Channels',
      value: count(totals.channels),
      more: `${many(totals.subscriptions, 'subscription')}, ${many(totals.users, 'user')}`,
      href: '/channels',
    },
    {
      name: 'Events a second',
      value: rate(rates.events),
      more: `${rate(rates.deliveries)} deliveries, ${rate(rates.client_events)} from clients`,
      href: '/log',
    },
    {
      name: 'Latency',
      value: ms(latency.probe_ms),
      more: `of a probe; deliveries ${ms(latency.delivery_p50_ms)}, slowest 1% ${ms(latency.delivery_p99_ms)}`,
      href: '/health',
    },
    {
      name: 'Jobs waiting',
      value: count(queues.waiting),
      more: `${count(queues.running)} running, ${many(queues.workers ?? 0, 'worker')}`,
      href: '/queues',
      bad: (queues.waiting ?? 0) > 0 && queues.workers === 0,
    },
    {
      name: 'Failed jobs',
      value: count(queues.failed),
      more: (queues.failed ?? 0) > 0 ? 'to look at' : 'nothing to look at',
      href: '/failed',
      bad: (queues.failed ?? 0) > 0,
    },
    {
      name: 'Denials a second',
      value: rate(rates.denials),
      more: `${rate(rates.errors)} errors, ${rate(rates.webhooks)} webhooks a second`,
      href: '/denials',
    },
    {
      name: 'Waiting to be read',
      value: bytes(totals.waiting_bytes),
      more: 'by clients that are slower than what they get',
      href: '/connections',
    },
  ]
  return (
    <>
      <ul className="c-figures">
        {figures.map(({ name, value, more, href, bad }) => (
          <li key={name} className="card" data-bad={bad || undefined} data-figure={name}>
            <Link href={href}>
              <span className="c-figure-name">{name}</span>
              <span className="c-figure-value">{value}</span>
              <span className="c-figure-more">{more}</span>
            </Link>
          </li>
        ))}
      </ul>
      <p className="muted c-trace-note">
        {trace.one_in > 1
          ? `At this rate one event in ${count(trace.one_in)} is traced.`
          : 'Every event is traced.'}
        {trace.oldest && (
          <>
            {' '}
            What is remembered began <Time at={trace.oldest} />.
          </>
        )}
      </p>
    </>
  )
}
