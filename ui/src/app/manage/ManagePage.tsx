import type { ReactNode } from 'react'
import { Empty } from '../kit/States'
import { usePageTitle } from '../kit/title'

export default function ManagePage(): ReactNode {
  usePageTitle('Manage')
  return <Empty title="Manage" />
}
