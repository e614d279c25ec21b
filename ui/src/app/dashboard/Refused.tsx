import type { RequestFailed } from 'belfry-client/dashboard'
import type { ReactNode } from 'react'
import { useHref } from '../href'
import { Empty } from '../kit/States'
import { useSession } from '../session'
import { Others } from './Others'
import { useBoards } from './useBoards'

/** Stands where a dashboard is not there, or not for whoever looks. */
export function Refused(props: { name: string; error: RequestFailed }): ReactNode {
  const { name, error } = props
  const { user } = useSession()
  const { toSignIn } = useHref()
  const boards = useBoards()
  if (error.status === 403) {
    return (
      <Empty
        heading="h1"
        title="This dashboard is not yours to see"
        action={<Others name={name} />}
      >
        You are signed in as {user?.email || user?.name || 'nobody'}, and the rule of its channel
        does not let you in. Who runs this server can change that in <code>belfry.yaml</code>.
      </Empty>
    )
  }
  if (name === 'default' && boards?.length === 0) {
    return (
      <Empty
        heading="h1"
        title="There is no dashboard yet"
        action={
          user === null ? (
            <a className="button" href={toSignIn()}>
              Sign in
            </a>
          ) : undefined
        }
      >
        Dashboards come from the section <code>dashboards</code> of <code>belfry.yaml</code>:
        figures by name, each a query.
      </Empty>
    )
  }
  return (
    <Empty
      heading="h1"
      title="There is no such dashboard"
      action={
        <div className="board-links">
          <Others name={name} />
        </div>
      }
    >
      {error.message}
    </Empty>
  )
}
