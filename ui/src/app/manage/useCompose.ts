import { useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { Refusal } from '../../request'
import { change, check, create, load, send } from './api'
import { blank, bodyOf, type Draft, draftOf, same } from './draft'
import { type Faults, faultsOf, firstOf } from './faults'
import type { Managed } from './model'
import { useNotice } from './Notice'
import { onceKey } from './onceKey'
import { useChanged } from './queries'
import { isOpen } from './steps'

/** What the form is about to ask. */
export type Question = 'send' | 'schedule'

/**
 * The form's state and what its buttons do. base is what the server has now,
 * undefined for a new one; start is what a new one begins with.
 */
export function useCompose(base: Managed | undefined, start: Draft | undefined) {
  const [saved, setSaved] = useState(base)
  const [clean, setClean] = useState(() => (base ? draftOf(base) : (start ?? blank)))
  const [draft, setDraft] = useState(clean)
  const [faults, setFaults] = useState<Faults>({})
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const [question, setQuestion] = useState<Question>()
  const [theirs, setTheirs] = useState<Managed>()
  const [key] = useState(onceKey)
  const [shownFaults, setShownFaults] = useState(0)
  const running = useRef(false)
  const changed = useChanged()
  const say = useNotice()
  const [, navigate] = useLocation()
  const dirty = !same(draft, clean)

  const adopt = (one: Managed, content = draftOf(one)) => {
    setSaved(one)
    setClean(draftOf(one))
    setDraft(content)
  }

  // What others saved shows at once where nothing was typed.
  useEffect(() => {
    if (!base || !saved || base.revision <= saved.revision || dirty) return
    setSaved(base)
    setClean(draftOf(base))
    setDraft(draftOf(base))
  }, [base, saved, dirty])

  useEffect(() => {
    if (shownFaults > 0) focusFirst()
  }, [shownFaults])

  const fail = async (cause: unknown) => {
    setQuestion(undefined)
    if (cause instanceof Refusal && cause.status === 409 && saved) {
      try {
        const now = await load(saved.id)
        changed.to(now)
        if (isOpen(now)) return setTheirs(now)
        return setProblem('It has gone out or was cancelled meanwhile, so it cannot be changed.')
      } catch (other) {
        cause = other
      }
    }
    const { faults, rest } = faultsOf(cause)
    setFaults(faults)
    setProblem(rest)
    if (firstOf(faults) !== undefined) setShownFaults(count => count + 1)
  }

  /** Does one thing at a time. */
  const run = async (what: () => Promise<void>) => {
    if (running.current) return
    running.current = true
    setBusy(true)
    setFaults({})
    setProblem('')
    try {
      await what()
    } catch (cause) {
      await fail(cause)
    } finally {
      running.current = false
      setBusy(false)
    }
  }

  /** Stores the form, and gives what the server has then. */
  const store = async (body: Record<string, unknown>) => {
    const one = saved ? await change(saved.id, saved.revision, body) : await create(body, key(body))
    adopt(one)
    changed.to(one)
    return one
  }

  return {
    ...{ draft, clean, saved, faults, problem, busy, dirty, question, theirs },
    put: (more: Partial<Draft>, field?: string) => {
      setDraft(old => ({ ...old, ...more }))
      if (field === undefined || faults[field] === undefined) return
      setFaults(({ [field]: _, ...rest }) => rest)
    },
    /** Keeps it as it is: a draft, or scheduled if it is that already. */
    save: (asDraft: boolean) =>
      run(async () => {
        const one = await store(bodyOf(draft, !asDraft && draft.later))
        say(one.status === 'scheduled' ? 'Saved. It stays scheduled.' : 'Saved as a draft.')
        if (!saved) navigate(`/${one.id}`, { replace: true })
      }),
    /** Asks before it goes out, if nothing is wrong with it. */
    ask: (question: Question) =>
      run(async () => {
        await check({ ...draft, later: question === 'schedule' })
        setQuestion(question)
      }),
    unask: () => setQuestion(undefined),
    /** Sends it or sets its time, which has been confirmed. */
    confirm: () =>
      run(async () => {
        if (question === undefined) return
        const later = question === 'schedule'
        const { scheduled_at, ...content } = bodyOf(draft, later)
        if (later) {
          const one = await store({ ...content, scheduled_at })
          say('It is scheduled.')
          return navigate(`?status=${one.status}`)
        }
        if (!saved) {
          const one = await store({ ...content, send: true })
          say('It is on its way.')
          return navigate(`/${one.id}`, { replace: true })
        }
        const last = dirty ? await store({ ...content, scheduled_at: null }) : saved
        const one = await send(last.id, last.revision)
        adopt(one)
        changed.to(one)
        say('It is on its way.')
      }),
    /** Saves what was chosen out of both versions, over theirs. */
    settle: (content: Draft) =>
      run(async () => {
        if (!theirs) return
        adopt(theirs, content)
        setTheirs(undefined)
        const one = await change(theirs.id, theirs.revision, bodyOf(content))
        adopt(one)
        changed.to(one)
        say('Saved.')
      }),
    compare: () => run(async () => setTheirs(saved && (await load(saved.id)))),
    unsettled: () => setTheirs(undefined),
  }
}

/** Goes to the first field that has a fault. */
function focusFirst(): void {
  const control = document.querySelector<HTMLElement>('.compose [aria-invalid="true"]')
  control?.focus()
  control?.scrollIntoView({ block: 'center' })
}
