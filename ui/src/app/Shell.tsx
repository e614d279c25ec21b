import { useQueryClient } from '@tanstack/react-query'
import { useNotifications } from 'belfry-client/react'
import type Pusher from 'pusher-js'
import { type ReactNode, useEffect, useState } from 'react'
import { Link, useLocation, useRoute } from 'wouter'
import type { User } from '../people'
import { ConnectionProvider, useConnection, useConnectionState } from './connection'
import { useHref } from './href'
import { Brand } from './kit/Brand'
import { Failed, Loading, wordsOf } from './kit/States'
import { listKey } from './notifications/listKey'
import { OwnBell } from './OwnBell'
import { hasRole, useSession } from './session'

/** The frame of every page: where one is, where one can go, who one is, the bell. */
export function Shell(props: { children: ReactNode }): ReactNode {
  return (
    <ConnectionProvider>
      <Framed>{props.children}</Framed>
    </ConnectionProvider>
  )
}

function Framed(props: { children: ReactNode }): ReactNode {
  const { user, problem, refresh } = useSession()
  const pusher = useConnection()
  if (!user) return <Frame>{props.children}</Frame>
  if (pusher) {
    return (
      <WithBell key={user.id} user={user} pusher={pusher}>
        {props.children}
      </WithBell>
    )
  }
  return <Frame>{problem ? <Failed problem={problem} again={refresh} /> : <Loading />}</Frame>
}

/** The frame with the notifications of who is signed in, for all pages at once. */
function WithBell(props: { user: User; pusher: Pusher; children: ReactNode }): ReactNode {
  const [, navigate] = useLocation()
  return (
    <OwnBell userId={props.user.id} pusher={props.pusher} goTo={address => navigate(`/${address}`)}>
      {bell => (
        <>
          <Upkeep />
          <Frame bell={bell}>{props.children}</Frame>
        </>
      )}
    </OwnBell>
  )
}

/** Ends what is kept of a manager with it, and notices that a session has ended. */
function Upkeep(): ReactNode {
  const { manager, connection } = useNotifications()
  const { refresh } = useSession()
  const queries = useQueryClient()
  const ended = connection === 'unauthorized'
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each manager
  useEffect(() => () => queries.removeQueries({ queryKey: [listKey] }), [queries, manager])
  // biome-ignore lint/correctness/useExhaustiveDependencies: once each time
  useEffect(() => {
    if (ended) refresh()
  }, [ended])
  return null
}

function Frame(props: { bell?: ReactNode; children: ReactNode }): ReactNode {
  const { user, start } = useSession()
  const { to } = useHref()
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <Brand href={to('/')} version={start?.version} />
        <nav aria-label="Pages">
          {user && <Tab href="/notifications">Notifications</Tab>}
          {hasRole(user, 'manager') && <Tab href="/admin/notifications">Manage</Tab>}
          <Tab href="/dashboard">Dashboard</Tab>
          {hasRole(user, 'admin') && <Tab href="/console">Console</Tab>}
        </nav>
        <div className="own">
          <Lamp />
          {props.bell}
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {props.children}
      </main>
    </>
  )
}

function Tab(props: { href: string; children: ReactNode }): ReactNode {
  const [exact] = useRoute(props.href)
  const [below] = useRoute(`${props.href}/*`)
  return (
    <Link href={props.href} aria-current={exact || below ? 'page' : undefined}>
      {props.children}
    </Link>
  )
}

const lamps: Record<string, string> = {
  connected: 'Live',
  connecting: 'Connecting',
  initialized: 'Connecting',
  unavailable: 'Connection lost, trying again',
  disconnected: 'Not connected',
  failed: 'This browser cannot connect',
}

/** A lamp that tells, by colour and by its words, whether news comes at once. */
function Lamp(): ReactNode {
  const state = useConnectionState()
  const words = lamps[state] ?? state
  return (
    <span className="lamp-state" data-state={state} role="status" title={words}>
      <span className="lamp" aria-hidden="true" />
      <span className={state === 'connected' ? 'offscreen' : 'lamp-words'}>{words}</span>
    </span>
  )
}

function Account(): ReactNode {
  const { user, leave } = useSession()
  const { toSignIn } = useHref()
  const [problem, setProblem] = useState('')
  if (user === undefined) return <span className="account unsettled">Sign in</span>
  if (user === null) {
    return (
      <a className="account" href={toSignIn()}>
        Sign in
      </a>
    )
  }
  return (
    <span className="account">
      <span className="account-name" title={user.email}>
        {user.name || user.email}
      </span>
      <button
        type="button"
        className="quiet"
        onClick={() => {
          setProblem('')
          leave().catch((cause: unknown) => setProblem(wordsOf(cause)))
        }}
      >
        Sign out
      </button>
      <span role="alert" className="account-problem">
        {problem}
      </span>
    </span>
  )
}
