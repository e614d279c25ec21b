import { type ReactNode, useEffect, useRef } from 'react'
import { Link, Route, Switch, useRoute } from 'wouter'
import { Missing } from '../Private'
import { AppsPage } from './apps/AppsPage'
import { Banner } from './Banner'
import { AuditPage } from './health/AuditPage'
import { HealthPage } from './health/HealthPage'
import { ChannelPage } from './live/ChannelPage'
import { ChannelsPage } from './live/ChannelsPage'
import { ConnectionsPage } from './live/ConnectionsPage'
import { DenialsPage } from './live/DenialsPage'
import { ExplainPage } from './live/ExplainPage'
import { LogPage } from './log/LogPage'
import { OverviewPage } from './overview/OverviewPage'
import { SaidProvider } from './parts/Said'
import { FailedPage } from './queues/FailedPage'
import { QueuesPage } from './queues/QueuesPage'
import { StreamProvider } from './useStream'
import { WebhooksPage } from './webhooks/WebhooksPage'
import './console.css'

const tabs = [
  ['/', 'Overview'],
  ['/log', 'Live log'],
  ['/queues', 'Queues'],
  ['/failed', 'Failed jobs'],
  ['/connections', 'Connections'],
  ['/channels', 'Channels'],
  ['/explain', 'Explain'],
  ['/denials', 'Denials'],
  ['/webhooks', 'Webhooks'],
  ['/apps', 'Apps'],
  ['/health', 'Health'],
  ['/audit', 'Audit'],
] as const

/** What happens on the server, why something did not, and what can be done. */
export default function ConsolePage(): ReactNode {
  return (
    <StreamProvider>
      <div className="console">
        <nav className="c-tabs" aria-label="Console">
          {tabs.map(([href, name]) => (
            <Tab key={href} href={href} name={name} />
          ))}
        </nav>
        <Banner />
        <SaidProvider>
          <Switch>
            <Route path="/">
              <OverviewPage />
            </Route>
            <Route path="/log">
              <LogPage />
            </Route>
            <Route path="/queues">
              <QueuesPage />
            </Route>
            <Route path="/failed">
              <FailedPage />
            </Route>
            <Route path="/connections">
              <ConnectionsPage />
            </Route>
            <Route path="/channels">
              <ChannelsPage />
            </Route>
            <Route path="/channels/:app/:name">
              {({ app, name }) => (
                <ChannelPage
                  key={`${app} ${name}`}
                  app={decodeURIComponent(app)}
                  name={decodeURIComponent(name)}
                />
              )}
            </Route>
            <Route path="/explain">
              <ExplainPage />
            </Route>
            <Route path="/denials">
              <DenialsPage />
            </Route>
            <Route path="/webhooks">
              <WebhooksPage />
            </Route>
            <Route path="/apps">
              <AppsPage />
            </Route>
            <Route path="/health">
              <HealthPage />
            </Route>
            <Route path="/audit">
              <AuditPage />
            </Route>
            <Route>
              <Missing />
            </Route>
          </Switch>
        </SaidProvider>
      </div>
    </StreamProvider>
  )
}

function Tab(props: { href: string; name: string }): ReactNode {
  const [exact] = useRoute(props.href)
  const [below] = useRoute(`${props.href}/*`)
  const current = exact || (below && props.href !== '/')
  const link = useRef<HTMLAnchorElement>(null)
  useEffect(() => {
    if (current) link.current?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [current])
  return (
    <Link ref={link} href={props.href} aria-current={current ? 'page' : undefined}>
      {props.name}
    </Link>
  )
}
