import type { ReactNode } from 'react'
import { Empty } from '../kit/States'
import { usePageTitle } from '../kit/title'

export default function ConsolePage(): ReactNode {
  usePageTitle('Console')
  return <Empty title="Console" />
}
