import { useEffect } from 'react'

/** Names the page in the browser's tab. The unread count before it stays. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    const count = /^\(\d+\+?\) /.exec(document.title)?.[0] ?? ''
    document.title = `${count}${title} – Belfry`
  }, [title])
}
