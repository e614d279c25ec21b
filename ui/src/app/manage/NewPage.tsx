import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useSearchParams } from 'wouter'
import { Failed, Loading } from '../kit/States'
import { load } from './api'
import { Compose } from './Compose'
import { copyOf } from './draft'

/** A new notification, empty or like another (?from=). */
export function NewPage(): ReactNode {
  const [params] = useSearchParams()
  const from = params.get('from') ?? ''
  const model = useQuery({
    queryKey: ['manage', 'model', from],
    queryFn: ({ signal }) => load(from, signal),
    enabled: from !== '',
    staleTime: Number.POSITIVE_INFINITY,
  })
  if (from === '') return <Compose key="blank" />
  if (model.isPending) return <Loading />
  if (model.isError) return <Failed problem={model.error} again={() => void model.refetch()} />
  return <Compose key={from} start={copyOf(model.data)} />
}
