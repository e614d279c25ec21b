import type { Notification } from 'belfry-client'
import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef, useState } from 'react'
import { type Action, allowed, changes } from './useActions'

/** The keys that act on the row that has the focus. */
export const letters: Record<string, 'read' | 'archive' | 'dismiss' | 'pick'> = {
  r: 'read',
  e: 'archive',
  d: 'dismiss',
  x: 'pick',
}

const steps: Record<string, number> = { ArrowDown: 1, PageDown: 1, ArrowUp: -1, PageUp: -1 }

/** The keys of the list, and which row has the focus, or had it last. */
export interface RowKeys {
  /** That row's place, -1 for none. */
  readonly index: number
  readonly setCurrent: (id: string) => void
  readonly onKeyDown: (event: KeyboardEvent<HTMLElement>, index: number) => void
  /** Does what may take the row at a place away, and keeps the focus near. */
  readonly keepFocus: (index: number, action: Action, work: () => void) => void
}

export function useRowKeys(
  rows: readonly Notification[],
  box: RefObject<HTMLElement | null>,
  todo: {
    act: (action: Action, row: Notification) => void
    pick: (id: string, range?: boolean) => void
  },
): RowKeys {
  const [current, setCurrent] = useState('')
  /** The row that is to get the focus once it is there. */
  const wanted = useRef('')
  /** Where the focus goes when the row that has it leaves the list. */
  const after = useRef<{ from: string; to: string } | undefined>(undefined)
  const index = current === '' ? -1 : rows.findIndex(({ id }) => id === current)

  useLayoutEffect(() => {
    const next = after.current
    if (next !== undefined && !rows.some(({ id }) => id === next.from)) {
      after.current = undefined
      wanted.current = next.to
      setCurrent(next.to)
    }
    if (wanted.current === '') return
    const row = box.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(wanted.current)}"]`)
    if (!row) return
    wanted.current = ''
    row.focus()
  })

  const go = (to: number) => {
    const row = rows[Math.max(0, Math.min(to, rows.length - 1))]
    if (row === undefined) return
    wanted.current = row.id
    setCurrent(row.id)
  }

  const keepFocus = (at: number, action: Action, work: () => void) => {
    const row = rows[at]
    const near = rows[at + 1] ?? rows[at - 1]
    const inside = box.current
      ?.querySelector(`[data-index="${at}"]`)
      ?.contains(document.activeElement)
    after.current =
      row && near && inside && action !== 'unread' ? { from: row.id, to: near.id } : undefined
    work()
  }

  const onKeyDown = (event: KeyboardEvent<HTMLElement>, at: number) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.target instanceof HTMLElement))
      return
    const step = steps[event.key]
    const letter = letters[event.key]
    const row = rows[at]
    if (step !== undefined) go(at + step)
    else if (event.key === 'Home' && event.target.dataset['id']) go(0)
    else if (event.key === 'Enter' && event.target.dataset['id']) {
      event.target.querySelector<HTMLElement>('.n-title a')?.click()
    } else if (letter === 'pick' && row) todo.pick(row.id, event.shiftKey)
    else if (letter !== undefined && letter !== 'pick' && row) {
      const action = letter === 'read' && row.read_at !== null ? 'unread' : letter
      if (changes(action, row) && allowed(action, row)) {
        keepFocus(at, action, () => todo.act(action, row))
      }
    } else return
    event.preventDefault()
  }

  return { index, setCurrent, onKeyDown, keepFocus }
}
