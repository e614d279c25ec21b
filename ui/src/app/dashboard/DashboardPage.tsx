import type { ReactNode } from 'react'
import { Route, Switch } from 'wouter'
import { Missing } from '../Private'
import { Board } from './Board'
import './dashboard.css'

/** The live dashboards: the one called default, and others by their names. */
export default function DashboardPage(): ReactNode {
  return (
    <Switch>
      <Route path="/">
        <Board key="default" name="default" />
      </Route>
      <Route path="/:name">
        {({ name }) => <Board key={name} name={decodeURIComponent(name)} />}
      </Route>
      <Route>
        <Missing />
      </Route>
    </Switch>
  )
}
