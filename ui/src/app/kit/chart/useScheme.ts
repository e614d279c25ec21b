import { useSyncExternalStore } from 'react'

const query = '(prefers-color-scheme: dark)'

/** Whether the page is light or dark, which what is drawn has to follow. */
export function useScheme(): 'light' | 'dark' {
  return useSyncExternalStore(subscribe, read)
}

function subscribe(changed: () => void): () => void {
  const list = matchMedia(query)
  list.addEventListener('change', changed)
  return () => list.removeEventListener('change', changed)
}

function read(): 'light' | 'dark' {
  return matchMedia(query).matches ? 'dark' : 'light'
}
