import type { ReactNode } from 'react'
import { Link, Route, Switch, useRoute } from 'wouter'
import { Missing } from '../Private'
import { ListPage } from './ListPage'
import './manage.css'
import { NewPage } from './NewPage'
import { NoticeProvider } from './Notice'
import { OnePage } from './OnePage'
import { TotalsPage } from './TotalsPage'

/** Management of notifications. */
export default function ManagePage(): ReactNode {
  return (
    <NoticeProvider>
      <nav className="manage-nav" aria-label="Management">
        <Section href="">Notifications</Section>
        <Section href="/stats">Statistics</Section>
        <Link href="/new" className="button manage-new">
          New<span className="wide-only"> notification</span>
        </Link>
      </nav>
      <Switch>
        <Route path="/">
          <ListPage />
        </Route>
        <Route path="/new">
          <NewPage />
        </Route>
        <Route path="/stats">
          <TotalsPage />
        </Route>
        <Route path="/:id">{({ id }) => <OnePage key={id} id={id} />}</Route>
        <Route>
          <Missing />
        </Route>
      </Switch>
    </NoticeProvider>
  )
}

function Section(props: { href: string; children: ReactNode }): ReactNode {
  const [here] = useRoute(props.href || '/')
  return (
    <Link href={props.href} aria-current={here ? 'page' : undefined}>
      {props.children}
    </Link>
  )
}
