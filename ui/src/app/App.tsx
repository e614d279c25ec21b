import { type ComponentType, lazy, type ReactNode, Suspense } from 'react'
import { Route, Switch } from 'wouter'
import { Boundary } from './kit/Boundary'
import { Loading } from './kit/States'
import { Missing, Private } from './Private'
import { Shell } from './Shell'
import { SessionProvider } from './session'

const page = (load: () => Promise<{ default: ComponentType }>) => lazy(load)

const Notifications = page(() => import('./notifications/NotificationsPage'))
const Manage = page(() => import('./manage/ManagePage'))
const Dashboard = page(() => import('./dashboard/DashboardPage'))
const Console = page(() => import('./console/ConsolePage'))

/** Every page of the application inside the frame that they share. */
export function App(): ReactNode {
  return (
    <SessionProvider>
      <Shell>
        <Boundary>
          <Suspense fallback={<Loading />}>
            <Switch>
              <Route path="/notifications">
                <Private>
                  <Notifications />
                </Private>
              </Route>
              <Route path="/admin/notifications" nest>
                <Private needs="manager">
                  <Manage />
                </Private>
              </Route>
              <Route path="/dashboard" nest>
                <Dashboard />
              </Route>
              <Route path="/console" nest>
                <Private needs="admin">
                  <Console />
                </Private>
              </Route>
              <Route>
                <Missing />
              </Route>
            </Switch>
          </Suspense>
        </Boundary>
      </Shell>
    </SessionProvider>
  )
}
