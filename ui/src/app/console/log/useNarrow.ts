import { useSyncExternalStore } from 'react'

const query = '(max-width: 44rem)'

/** Whether the window is narrow, so that an entry needs two lines. */
export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => matchMedia(query).matches)
}

function subscribe(changed: () => void): () => void {
  const list = matchMedia(query)
  list.addEventListener('change', changed)
  return () => list.removeEventListener('change', changed)
}
