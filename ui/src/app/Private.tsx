import type { ReactNode } from 'react'
import { useHref } from './href'
import { Empty, Failed, Loading } from './kit/States'
import { usePageTitle } from './kit/title'
import { hasRole, useSession } from './session'

/** Shows what is in it to those who are signed in and, if a role is named, have it. */
export function Private(props: { needs?: 'admin' | 'manager'; children: ReactNode }): ReactNode {
  const { user, problem, refresh } = useSession()
  if (user === undefined) {
    return problem === null ? <Loading /> : <Failed problem={problem} again={refresh} />
  }
  if (user === null) return <SignInFirst />
  if (props.needs !== undefined && !hasRole(user, props.needs)) {
    return (
      <Empty heading="h1" title="This page is not yours to open">
        It needs the role <code>{props.needs}</code>, and you are signed in as{' '}
        {user.email || user.name}. An administrator gives roles with <code>belfry user:role</code>.
      </Empty>
    )
  }
  return props.children
}

/** What stands where a page needs somebody to sign in. */
export function SignInFirst(): ReactNode {
  usePageTitle('Sign in')
  const { toSignIn } = useHref()
  return (
    <Empty
      heading="h1"
      title="Sign in first"
      action={
        <a className="button" href={toSignIn()}>
          Sign in
        </a>
      }
    >
      This page is for people who are signed in.
    </Empty>
  )
}

/** What stands at an address that leads nowhere. */
export function Missing(): ReactNode {
  usePageTitle('Not found')
  const { to } = useHref()
  return (
    <Empty
      heading="h1"
      title="There is no page here"
      action={
        <a className="button" href={to('/')}>
          To the start page
        </a>
      }
    >
      The address leads nowhere.
    </Empty>
  )
}
