import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { base } from '../base'
import { byId } from '../dom'
import { Refusal } from '../request'
import { App } from './App'
import { watchHistory } from './kit/history'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server refused it refuses again; its silence may end.
      retry: (failures, cause) =>
        cause instanceof Refusal && (cause.status === 0 || cause.status >= 500) && failures < 3,
    },
  },
})

watchHistory()

createRoot(byId('root', HTMLElement)).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Router base={base.slice(0, -1)}>
        <App />
      </Router>
    </QueryClientProvider>
  </StrictMode>,
)
