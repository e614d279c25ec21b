import { type ReactNode, useState } from 'react'
import { usePageTitle } from '../../kit/title'
import type { AppLine, Created, Usage } from '../model'
import { Answered, Nothing } from '../parts/ListOf'
import { type Column, Table } from '../parts/Table'
import { count } from '../parts/words'
import { useAnswer } from '../queries'
import { AddDialog } from './AddDialog'
import { type AppAction, AppDialog } from './AppDialog'
import { SecretDialog } from './SecretDialog'
import { UsageOf } from './UsageOf'

/** Apps, their secrets, and how near they are to their limits. */
export function AppsPage(): ReactNode {
  usePageTitle('Apps')
  const answer = useAnswer<{ apps: readonly AppLine[] }>('apps', {}, 5000)
  const usage = useAnswer<{ usage: readonly Usage[] }>('usage', {}, 5000)
  const [adding, setAdding] = useState(false)
  const [asked, setAsked] = useState<{ action: AppAction; app: AppLine }>()
  // What a server says once is kept nowhere but in the dialog that shows it.
  const [created, setCreated] = useState<Created>()
  return (
    <>
      <header className="page-head">
        <h1>Apps</h1>
        <button type="button" onClick={() => setAdding(true)}>
          Add an app
        </button>
      </header>
      <section className="card c-section">
        <Answered answer={answer}>
          {({ apps }) =>
            apps.length === 0 ? (
              <Nothing title="There is no app" />
            ) : (
              <Table
                label="Apps"
                columns={columnsOf((action, app) => setAsked({ action, app }))}
                rows={apps}
                keyOf={({ id }) => id}
              />
            )
          }
        </Answered>
      </section>
      <Answered answer={usage}>{data => <UsageOf usage={data.usage} />}</Answered>
      {adding && <AddDialog onClose={() => setAdding(false)} onCreated={setCreated} />}
      {asked && <AppDialog {...asked} onClose={() => setAsked(undefined)} onCreated={setCreated} />}
      {created && <SecretDialog created={created} onClose={() => setCreated(undefined)} />}
    </>
  )
}

function columnsOf(ask: (action: AppAction, app: AppLine) => void): readonly Column<AppLine>[] {
  return [
    {
      name: 'App',
      of: ({ id, name, enabled }) => (
        <>
          <strong>{name || id}</strong> {!enabled && <span className="badge warn">off</span>}
          {name !== '' && name !== id && <div className="c-small">{id}</div>}
        </>
      ),
    },
    { name: 'Key', of: ({ key }) => <code>{key}</code> },
    { name: 'Kept in', of: ({ from }) => from },
    { name: 'Connections', number: true, of: ({ connections }) => count(connections) },
    {
      name: 'Secrets',
      number: true,
      of: ({ secrets }) => (
        <>
          {secrets}
          {secrets > 1 && <div className="c-small">one is being rotated out</div>}
        </>
      ),
    },
    {
      name: 'Actions',
      silent: true,
      of: app =>
        app.read_only ? (
          <span className="c-small">changed in its file</span>
        ) : (
          <div className="c-actions">
            <button
              type="button"
              className="quiet"
              aria-label={`Rotate the secret of ${app.name || app.id}`}
              onClick={() => ask(app.secrets > 1 ? 'retire' : 'rotate', app)}
            >
              {app.secrets > 1 ? 'Drop the old secret' : 'Rotate secret'}
            </button>
            <button
              type="button"
              className="quiet"
              aria-label={`Remove ${app.name || app.id}`}
              onClick={() => ask('remove', app)}
            >
              Remove
            </button>
          </div>
        ),
    },
  ]
}
