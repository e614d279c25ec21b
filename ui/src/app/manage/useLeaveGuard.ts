import { useEffect, useRef, useState } from 'react'
import { holdHistory } from '../kit/history'

/** What asks before a page with unsaved work is left. */
export interface LeaveGuard {
  /** Whether somebody wants to leave. */
  readonly asked: boolean
  readonly stay: () => void
  readonly leave: () => void
}

/**
 * Holds links, the back button and the closing of the tab up while there is
 * something to lose. What the page itself does with navigate is not held up.
 */
export function useLeaveGuard(active: boolean): LeaveGuard {
  const leaving = useRef(false)
  const armed = useRef(active)
  if (!active) leaving.current = false
  armed.current = active && !leaving.current
  const [onward, setOnward] = useState<() => void>()

  useEffect(() => {
    const here = location.pathname + location.search
    const onUnload = (event: BeforeUnloadEvent) => {
      if (armed.current) event.preventDefault()
    }
    const onClick = (event: MouseEvent) => {
      const link = event.target instanceof Element ? event.target.closest('a[href]') : null
      if (!armed.current || !(link instanceof HTMLAnchorElement) || !leads(link, event)) return
      event.preventDefault()
      event.stopPropagation()
      setOnward(() => () => link.click())
    }
    const onBack = (event: PopStateEvent) => {
      if (!armed.current || location.pathname + location.search === here) return
      event.stopImmediatePropagation() // the router is not to hear of it
      history.pushState(null, '', here)
      setOnward(() => () => history.back())
    }
    window.addEventListener('beforeunload', onUnload)
    document.addEventListener('click', onClick, { capture: true })
    const release = holdHistory(onBack)
    return () => {
      window.removeEventListener('beforeunload', onUnload)
      document.removeEventListener('click', onClick, { capture: true })
      release()
    }
  }, [])

  return {
    asked: onward !== undefined,
    stay: () => setOnward(undefined),
    leave: () => {
      leaving.current = true
      armed.current = false
      setOnward(undefined)
      onward?.()
    },
  }
}

/** Whether a click on a link leaves this page in this tab. */
function leads(link: HTMLAnchorElement, event: MouseEvent): boolean {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
    return false
  }
  if ((link.target !== '' && link.target !== '_self') || link.hasAttribute('download')) return false
  const { origin, pathname, search } = location
  return link.origin !== origin || link.pathname !== pathname || link.search !== search
}
