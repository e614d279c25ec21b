import { enablePush, type PushState, pushState } from 'belfry-client'
import { useEffect, useState } from 'react'
import { base } from '../../base'
import { endPush, pushOptions } from '../push'

/** Web Push in this browser. */
export interface Push {
  readonly on: boolean
  /** Whether it can be changed now. */
  readonly able: boolean
  readonly note: string
  /** Why the last change failed, or "". */
  readonly problem: string
  readonly set: (on: boolean) => void
}

const notes: Record<PushState, string> = {
  unsupported: 'This browser or this server has no Web Push, or the address is one without TLS.',
  denied: 'The browser was told not to. Its settings for this address can change that.',
  off: 'The browser asks whether it may. It ends when you sign out.',
  on: 'Also while the browser is closed, as far as the system lets it run.',
}

/** Web Push, as it stands and to change. */
export function usePush(): Push {
  const [state, setState] = useState<PushState>()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  useEffect(() => {
    let gone = false
    pushState(pushOptions).then(found => {
      if (!gone) setState(found)
    })
    return () => {
      gone = true
    }
  }, [])
  const set = (on: boolean) => {
    setBusy(true)
    setProblem('')
    change(on)
      .then(setState, error => setProblem(wordsOf(error)))
      .finally(() => setBusy(false))
  }
  const able = !busy && (state === 'on' || state === 'off')
  return { on: state === 'on', able, note: state ? notes[state] : '', problem, set }
}

async function change(on: boolean): Promise<PushState> {
  if (on) return enablePush({ baseUrl: base.slice(0, -1) }, pushOptions)
  await endPush()
  return pushState(pushOptions)
}

function wordsOf(error: unknown): string {
  return `It did not work: ${error instanceof Error ? error.message : String(error)}`
}
