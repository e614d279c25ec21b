import { useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { Failed, Loading } from '../../kit/States'
import { usePageTitle } from '../../kit/title'
import { read } from '../api'
import type { Verdict } from '../model'
import { AppChoice } from '../parts/AppChoice'
import { useFilters } from '../parts/Filters'
import { root } from '../queries'
import { Report } from './PageOf'
import { SocketDialog } from './SocketDialog'
import { VerdictOf } from './VerdictOf'

const names = ['id', 'user', 'socket', 'channel', 'event', 'app'] as const

type Question = Readonly<Record<(typeof names)[number], string>>

const fields = [
  ['id', 'Event id', 'Alone, or with a user'],
  ['user', 'User', 'Who should have got it'],
  ['socket', 'Socket', 'Where the application signs its channels itself'],
  ['channel', 'Channel', 'On which it should have come'],
  ['event', 'Event', 'Its name'],
] as const

/** Answers why an event did or did not arrive. */
export function ExplainPage(): ReactNode {
  usePageTitle('Explain')
  const [question, ask] = useFilters(names)
  const asked = names.some(name => name !== 'app' && question[name] !== '')
  const answer = useQuery({
    queryKey: [root, 'explain', question],
    queryFn: ({ signal }) => read<Verdict>('explain', question, signal),
    enabled: asked,
    retry: false,
  })
  return (
    <>
      <header className="page-head">
        <h1>Why did it not arrive?</h1>
      </header>
      <Form key={JSON.stringify(question)} question={question} ask={ask} busy={answer.isFetching} />
      {asked && answer.isPending && <Loading />}
      {asked && answer.error !== null && (
        <Failed problem={answer.error} again={() => void answer.refetch()} />
      )}
      {asked && answer.error === null && answer.data && (
        <section className="card">
          <VerdictOf verdict={answer.data} />
          <p className="c-more">
            <button type="button" className="quiet" onClick={() => void answer.refetch()}>
              Ask again
            </button>
          </p>
        </section>
      )}
      {asked && answer.error === null && answer.data?.pages && <Pages of={answer.data.pages} />}
    </>
  )
}

/** What the pages of the connections that matter have handlers for. */
function Pages(props: { of: NonNullable<Verdict['pages']> }): ReactNode {
  const [opened, setOpened] = useState('')
  return (
    <section className="card c-pages" aria-labelledby="pages">
      <header className="c-card-head">
        <h2 id="pages">What the pages report</h2>
      </header>
      <ul className="c-stack">
        {props.of.map(page => (
          <li key={page.socket_id}>
            <button type="button" className="c-open" onClick={() => setOpened(page.socket_id)}>
              {page.socket_id}
            </button>
            <Report of={page} />
          </li>
        ))}
      </ul>
      {opened !== '' && <SocketDialog socket={opened} onClose={() => setOpened('')} />}
    </section>
  )
}

function Form(props: {
  question: Question
  ask: (question: Question) => void
  busy: boolean
}): ReactNode {
  const id = useId()
  const [draft, setDraft] = useState(props.question)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    props.ask(draft)
  }
  return (
    <form className="card c-section" onSubmit={submit}>
      <p className="muted c-section">
        An event id says what became of that event. A user, a channel and an event name say why the
        user got it or not.
      </p>
      <div className="c-filters">
        {fields.map(([name, label, hint]) => (
          <div key={name}>
            <label htmlFor={id + name}>{label}</label>
            <span className="field">
              <input
                id={id + name}
                value={draft[name]}
                autoComplete="off"
                aria-describedby={`${id}${name}-hint`}
                onChange={({ target }) => setDraft({ ...draft, [name]: target.value.trim() })}
              />
            </span>
            <p className="c-small" id={`${id}${name}-hint`}>
              {hint}
            </p>
          </div>
        ))}
        <AppChoice value={draft.app} change={app => setDraft({ ...draft, app })} />
      </div>
      <button type="submit" aria-disabled={props.busy}>
        Explain
      </button>
    </form>
  )
}
